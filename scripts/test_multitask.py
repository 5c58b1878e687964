"""The sets of tasks that scripts/multitask.py makes of a description, and the table that it prints."""

import contextlib
import io
import json
import tempfile
import unittest
from pathlib import Path

import multitask

CONFIG = json.loads((Path(__file__).parent.parent / "configs/multitask.json").read_text())


class Multitask(unittest.TestCase):
    def test_a_set_keeps_its_tasks_and_the_encoders_below(self):
        one = multitask.restricted(CONFIG, ["ner"], "uniform")
        self.assertEqual(list(one["model"]["encoders"]), ["low"])
        self.assertEqual(list(one["training"]["tasks"]), ["ner"])
        self.assertEqual(one["training"]["sampling"], {"type": "uniform"})
        pair = multitask.restricted(CONFIG, ["emd", "relation"], "proportional")
        self.assertEqual(list(pair["model"]["encoders"]), ["low", "mid", "rel"])
        self.assertEqual(len(CONFIG["model"]["tasks"]), 4)

    def test_relations_come_with_the_task_of_their_arguments(self):
        titles = [multitask.title(*variant) for variant in multitask.variants(CONFIG)]
        self.assertIn("emd+relation", titles)
        self.assertNotIn("relation", titles)
        of_names = json.loads(json.dumps(CONFIG))
        of_names["model"]["tasks"]["relation"]["arguments"] = "ner"
        titles = [multitask.title(*variant) for variant in multitask.variants(of_names)]
        self.assertIn("ner+relation", titles)
        self.assertNotIn("emd+relation", titles)

    def test_paths_become_absolute(self):
        config = {"a": [{"path": "x/y"}], "vectors": "../z"}
        multitask.absolute(config, Path("/data/runs"))
        self.assertEqual(config, {"a": [{"path": "/data/runs/x/y"}], "vectors": "/data/z"})

    def test_the_table_has_the_best_scores_and_the_updates_to_the_mark(self):
        with tempfile.TemporaryDirectory() as folder:
            def run(title, seed, scores):
                out = Path(folder) / title / str(seed)
                out.mkdir(parents=True)
                epochs = [{"event": "epoch", "tasks": {t: {"steps": 10, "score": s} for t, s in e.items()}} for e in scores]
                lines = [json.dumps(e) for e in [*epochs, {"event": "finished"}]]
                (out / "metrics.jsonl").write_text("\n".join(lines) + "\n")
                self.assertTrue(multitask.is_done(out))

            run("ner", 1, [{"ner": 0.5}, {"ner": 0.8}, {"ner": 0.7}])
            run("ner", 2, [{"ner": 0.8}, {"ner": 0.9}])
            run("ner+emd", 1, [{"ner": 0.85, "emd": 0.4}, {"ner": 0.7, "emd": 0.6}])
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                config = multitask.restricted(CONFIG, ["ner", "emd"], "proportional")
                multitask.table(Path(folder), config, [1, 2])
            rows = printed.getvalue().splitlines()
            self.assertIn("| ner | 0.850 ± 0.071 |  |", rows)
            self.assertIn("| ner+emd | 0.850 | 0.600 |", rows)
            after = rows[rows.index("| ner+emd | 0.850 | 0.600 |") + 1]
            self.assertEqual(after, "| *updates to the mark* | 10 | 20 |")


if __name__ == "__main__":
    unittest.main()
