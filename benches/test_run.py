"""Tests of run.py."""

import unittest
from unittest import mock

import run


class Rounds(unittest.TestCase):
    def test_each_figure_is_that_of_its_best_round(self):
        first = {"25": {"tokens_per_s": 10, "p50_ms": 2}, "mixed": {"texts": 250, "figures": {"tokens_per_s": 30, "p50_ms": 8}}}
        second = {"25": {"tokens_per_s": 20, "p50_ms": 1}, "mixed": {"texts": 250, "figures": {"tokens_per_s": 20, "p50_ms": 9}}}
        run.keep_best(first, second)
        self.assertEqual(first["25"], {"tokens_per_s": 20, "p50_ms": 1})
        self.assertEqual(first["mixed"]["figures"], {"tokens_per_s": 30, "p50_ms": 8})

    def test_two_processes_count_together_and_lack_single_sentences(self):
        one = {"batch": {"mixed": {"figures": {"tokens_per_s": 10}}}, "unit_ms": 5}
        with mock.patch.object(run, "annotate_bench", return_value=one) as bench:
            both = run.processes("text")
        self.assertEqual([call.args for call in bench.call_args_list], [("text", 1, "batch")] * 2)
        self.assertEqual(both, {"batch": {"mixed": {"figures": {"tokens_per_s": 20}}}})
        results = {"library": {"1": {**one, "sentence": {}}, "2": {**one, "sentence": {}}, "processes": both}}
        faster = {"batch": {"mixed": {"figures": {"tokens_per_s": 30}}}, "sentence": {}, "unit_ms": 4}
        with mock.patch.object(run, "annotate_bench", return_value=faster):
            run.rounds(results, "text", [], "")
        self.assertEqual(results["library"]["processes"]["batch"]["mixed"]["figures"]["tokens_per_s"], 60)
        self.assertEqual(results["library"]["1"]["unit_ms"], 4)

    def test_tasks_are_measured_in_rounds_by_one_worker(self):
        def measured(_, workers, *sections):
            return {section: {"ner": {"tokens_per_s": 20 * workers}} for section in sections}

        alone = {"sentence": {}, "tasks": {"ner": {"tokens_per_s": 10}}, "batch": {}}
        results = {"library": {"1": alone, "2": {"sentence": {}, "batch": {}}, "processes": {"batch": {}}}}
        with mock.patch.object(run, "annotate_bench", side_effect=measured), mock.patch.object(run, "processes", return_value={}):
            run.rounds(results, "text", [], "")
        self.assertEqual(alone["tasks"], {"ner": {"tokens_per_s": 20}})


if __name__ == "__main__":
    unittest.main()
