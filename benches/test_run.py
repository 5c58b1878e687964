"""Tests of run.py."""

import unittest

import run


class Rounds(unittest.TestCase):
    def test_each_figure_is_that_of_its_best_round(self):
        first = {"25": {"tokens_per_s": 10, "p50_ms": 2}, "mixed": {"texts": 250, "figures": {"tokens_per_s": 30, "p50_ms": 8}}}
        second = {"25": {"tokens_per_s": 20, "p50_ms": 1}, "mixed": {"texts": 250, "figures": {"tokens_per_s": 20, "p50_ms": 9}}}
        run.keep_best(first, second)
        self.assertEqual(first["25"], {"tokens_per_s": 20, "p50_ms": 1})
        self.assertEqual(first["mixed"]["figures"], {"tokens_per_s": 30, "p50_ms": 8})


if __name__ == "__main__":
    unittest.main()
