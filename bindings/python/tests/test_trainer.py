"""Training."""

import json
import tempfile
import threading
import unittest
from pathlib import Path

import hmtl
from support import config, ctrl_c, trainer, travels


class Training(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_a_run_ends_with_a_model(self):
        events = []
        with trainer(12, patience=50) as run:
            info = run.train(events.append)
            self.assertEqual((info["finished"], info["epoch"]), ("epochs", 12))
            self.assertEqual(info, run.info())
            self.assertEqual(run.train(), info)  # it has ended
            with run.snapshot() as model, run.snapshot_best("ner") as best:
                doc = model.annotate("Ada left Oslo")
                self.assertEqual([label.label for _, label in doc.labelled("ner")], ["PER", "LOC"])
                best.save(self.folder / "model", precision="float16")
            self.assertEqual(run.evaluate("dev")["ner"]["score"], 1.0)
        kinds = [event["event"] for event in events]
        self.assertEqual((kinds.count("step"), kinds.count("epoch"), kinds[-1]), (48, 12, "finished"))
        epoch = next(event for event in events if event["event"] == "epoch")
        self.assertIn("loss", epoch["tasks"]["ner"])
        hmtl.Model(self.folder / "model").close()

    def test_events_come_in_the_thread_of_the_caller(self):
        seen = set()
        with trainer() as run:
            run.train(lambda event: seen.add(threading.get_ident()))
            self.assertEqual(seen, {threading.get_ident()})

    def test_an_exception_of_an_event_ends_the_training(self):
        class Enough(Exception):
            pass

        def on_event(event):
            seen.append(event)
            if event.get("total") == 5:
                raise Enough

        seen = []
        with trainer(3) as run:
            with self.assertRaises(Enough):
                run.train(on_event)
            self.assertEqual((run.info()["step"], seen[-1]["total"]), (5, 5))
            self.assertEqual(run.train()["finished"], "epochs")  # and it goes on

    def test_ctrl_c_ends_the_training(self):
        for on_event in (None, lambda event: None):
            with trainer(100_000) as run:
                with ctrl_c(0.2), self.assertRaises(KeyboardInterrupt):
                    run.train(on_event)
                step = run.info()["step"]
                self.assertGreater(step, 0)
                run.save(self.folder / "checkpoint")

    def test_a_token_ends_the_training(self):
        with trainer(3) as run, hmtl.Cancel() as cancel:
            with self.assertRaises(hmtl.Cancelled):
                run.train(lambda event: event.get("total") == 5 and cancel.trigger(), cancel=cancel)
            self.assertEqual(run.info()["step"], 5)

    def test_an_event_may_look_and_save_but_not_change(self):
        refused = []

        def on_event(event):
            if event["event"] == "epoch":
                infos.append(run.info())
                run.save(self.folder / "checkpoint")
                run.snapshot().close()
                for call in (run.step, run.train, lambda: run.evaluate("dev")):
                    try:
                        call()
                    except hmtl.InvalidArgumentError as error:
                        refused.append(str(error))

        infos = []
        with trainer(2) as run:
            run.train(on_event)
        self.assertEqual([info["epoch"] for info in infos], [1, 2])
        self.assertEqual(len(refused), 6)
        with hmtl.Model(self.folder / "checkpoint/model") as model:
            model.annotate("Ada")

    def test_another_thread_may_look_during_an_event_and_waits_else(self):
        steps = []
        with trainer(3) as run:
            done = threading.Event()

            def look():
                while not done.is_set():
                    steps.append(run.info()["step"])

            thread = threading.Thread(target=look)
            thread.start()
            run.train(lambda event: None)
            done.set()
            thread.join()
        self.assertEqual(steps, sorted(steps))

    def test_a_trainer_may_be_closed_during_an_event(self):
        run = trainer(2)
        run.train(lambda event: run.close())
        self.assertTrue(run.closed)
        self.assertIsNone(run._handle._pointer)
        with self.assertRaises(hmtl.ClosedError):
            run.info()

    def test_a_stopped_run_goes_on_where_it_was(self):
        with trainer(2) as whole:
            expected = whole.train()
        with trainer(2) as part:
            for _ in range(3):
                self.assertIn("loss", part.step())
            self.assertIn("loss", json.loads(part.step_json()))
            part.save(self.folder / "stopped")
        with hmtl.Trainer.resume(self.folder / "stopped", config=config(2)) as run, travels() as data:
            with self.assertRaisesRegex(hmtl.ConfigError, "no training data"):
                run.step()
            run.add_dataset("ner", "train", data)
            run.add_dataset("ner", "dev", data)
            self.assertEqual(run.train(), expected)
        with self.assertRaises(hmtl.Error):
            hmtl.Trainer.resume(self.folder / "stopped", config=json.dumps(config(3)))

    def test_events_and_results_have_twins_in_json(self):
        events = []
        with trainer() as run:
            info = run.train_json(events.append)
            self.assertEqual(json.loads(info), run.info())
            self.assertEqual(json.loads(run.evaluate_json("dev")), run.evaluate("dev"))
        self.assertEqual(json.loads(events[-1])["event"], "finished")

    def test_mistakes_are_errors(self):
        with hmtl.Trainer(json.dumps(config())) as run, travels() as data:
            with self.assertRaisesRegex(hmtl.InvalidArgumentError, "valid"):
                run.add_dataset("ner", "valid", data)
            with self.assertRaisesRegex(hmtl.InvalidArgumentError, "pos"):
                run.add_dataset("pos", "train", data)
            run.add_dataset("ner", "train", data)
            run.step()
            with self.assertRaisesRegex(hmtl.Error, "no epoch was scored"):
                run.snapshot_best()


if __name__ == "__main__":
    unittest.main()
