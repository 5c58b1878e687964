"""Log lines."""

import logging
import unittest

import hmtl
from support import travels


class Log(unittest.TestCase):
    def tearDown(self):
        hmtl.set_log(0, None)

    @staticmethod
    def make_noise():
        with hmtl.Model(tasks=["ner"]) as model, travels() as data:
            model.evaluate(data)
            model.annotate_batch(["Ada left Oslo."] * 3)

    def test_lines_are_passed_on_until_they_are_not(self):
        lines = []
        hmtl.set_log(5, lambda level, line: lines.append((level, line)))
        self.make_noise()
        self.assertTrue(lines, "the library logs nothing")
        for level, line in lines:
            self.assertIn(level, range(1, 6))
            self.assertIsInstance(line, str)
        hmtl.set_log(5, None)
        count = len(lines)
        self.make_noise()
        self.assertEqual(len(lines), count)

    def test_lines_go_to_a_logger(self):
        logger = logging.getLogger("hmtl.test")
        logger.setLevel(1)
        with self.assertLogs(logger, 1) as caught:
            hmtl.log_to(logger)
            self.make_noise()
        self.assertTrue(caught.records)

    def test_a_callback_cannot_set_the_callback(self):
        refused = []

        def callback(level, line):
            try:
                hmtl.set_log(0, None)
            except hmtl.InvalidArgumentError as error:
                refused.append(error)

        hmtl.set_log(5, callback)
        self.make_noise()
        self.assertTrue(refused)


if __name__ == "__main__":
    unittest.main()
