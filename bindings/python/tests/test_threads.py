"""Threads, cancelling, Ctrl-C, forks."""

import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

import hmtl
from support import EMOJI, TEXT, ctrl_c, model, python, travels

#: More than can be annotated while a test waits.
MANY = [TEXT * 20] * 2000


class Threads(unittest.TestCase):
    def test_threads_share_a_model(self):
        expected = {text: model().annotate(text, tasks=["ner"]) for text in (TEXT, EMOJI)}
        with ThreadPoolExecutor(8) as pool:
            texts = [TEXT, EMOJI] * 20
            for text, doc in zip(texts, pool.map(lambda t: model().annotate(t, tasks=["ner"]), texts)):
                self.assertEqual(doc, expected[text])

    def test_other_threads_run_during_a_call(self):
        # In a thread of its own, so that the call is made there.
        ended = threading.Event()

        def annotate():
            model().annotate_batch([TEXT] * 60)
            ended.set()

        thread = threading.Thread(target=annotate)
        count = 0
        thread.start()
        while not ended.is_set():
            count += 1
            time.sleep(0.001)
        thread.join()
        self.assertGreater(count, 10)

    def test_a_model_may_be_closed_while_it_is_used(self):
        some = hmtl.Model(tasks=["ner"])
        with ThreadPoolExecutor(1) as pool:
            running = pool.submit(some.annotate_batch, [TEXT] * 100)
            while some._handle._calls == 0 and not running.done():
                time.sleep(0.001)
            some.close()
            self.assertEqual(len(running.result()), 100)
        self.assertIsNone(some._handle._pointer)


class Cancelling(unittest.TestCase):
    def test_a_token_cancels_calls_that_hold_it(self):
        for where in ("main", "thread"):
            with hmtl.Cancel() as cancel, travels() as data:
                threading.Timer(0.1, cancel.trigger).start()
                with self.assertRaises(hmtl.Cancelled):
                    if where == "main":
                        model().annotate_batch(MANY, cancel=cancel)
                    else:
                        with ThreadPoolExecutor(1) as pool:
                            pool.submit(model().annotate_batch, MANY, cancel=cancel).result()
                self.assertTrue(cancel.triggered)
                with self.assertRaises(hmtl.Cancelled):
                    model().annotate(TEXT, cancel=cancel)
                with self.assertRaises(hmtl.Cancelled):
                    model().evaluate(data, cancel=cancel)

    def test_a_child_follows_its_parent_and_not_the_other_way(self):
        with hmtl.Cancel() as parent:
            one, two = hmtl.Cancel(parent), hmtl.Cancel(parent)
            one.trigger()
            with self.assertRaises(hmtl.Cancelled):
                model().annotate(TEXT, cancel=one)
            model().annotate("Ada", cancel=two)
            parent.trigger()
            self.assertTrue(two.triggered)
        with self.assertRaises(hmtl.Cancelled):
            model().annotate(TEXT, cancel=two)
        with self.assertRaises(hmtl.ClosedError):
            model().annotate(TEXT, cancel=parent)

    def test_ctrl_c_interrupts_a_batch(self):
        start = time.monotonic()
        with ctrl_c(0.2), self.assertRaises(KeyboardInterrupt):
            model().annotate_batch(MANY)
        self.assertLess(time.monotonic() - start, 5)
        self.assertEqual([thread.name for thread in threading.enumerate() if thread.name == "hmtl"], [])

    def test_ctrl_c_interrupts_a_long_text(self):
        with ctrl_c(0.2), self.assertRaises(KeyboardInterrupt):
            model().annotate(TEXT * 20_000)

    def test_the_token_of_the_caller_is_left_alone(self):
        with hmtl.Cancel() as cancel:
            with ctrl_c(0.2), self.assertRaises(KeyboardInterrupt):
                model().annotate_batch(MANY, cancel=cancel)
            self.assertFalse(cancel.triggered)
            model().annotate("Ada", cancel=cancel)


class Processes(unittest.TestCase):
    def test_a_forked_child_is_told_that_it_has_no_threads(self):
        result = python(
            """
import hmtl, os
model = hmtl.Model(tasks=["ner"])
model.annotate("Ada left Oslo")
child = os.fork()
if child == 0:
    try:
        model.annotate("Ada left Oslo")
    except hmtl.UnsupportedError as error:
        os._exit(3 if "fork" in str(error) else 4)
    os._exit(5)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
        )
        self.assertEqual(result.returncode, 3, result.stderr)

    def test_a_forked_child_frees_nothing(self):
        result = python(
            """
import hmtl, os
model = hmtl.Model(tasks=["ner"])
model.annotate("Ada left Oslo")
child = os.fork()
if child == 0:
    model.close()
    raise SystemExit(0)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
model.annotate("Ada left Oslo")
raise SystemExit(code)
"""
        )
        self.assertEqual(result.returncode, 0, result.stderr)

    def test_an_interpreter_ends_whatever_is_open(self):
        result = python(
            """
import hmtl
hmtl.set_log(5, lambda level, line: None)
model, cancel, data = hmtl.Model(tasks=["ner"]), hmtl.Cancel(), hmtl.Dataset()
model.annotate("Ada left Oslo")
"""
        )
        self.assertEqual((result.returncode, result.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main()
