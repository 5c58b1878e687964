"""Tests of licenses.py on packages made up here."""

import tempfile
import unittest
from pathlib import Path

import licenses


def node(name, *deps):
    return {"id": name, "deps": [{"pkg": pkg, "dep_kinds": [{"kind": kind}]} for pkg, kind in deps]}


class LicensesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def package(self, name, license, **files):
        folder = self.folder / name
        folder.mkdir()
        for file, text in files.items():
            (folder / file).write_text(text)
        return {"id": name, "name": name, "version": "1.0.0", "license": license, "repository": None,
                "manifest_path": str(folder / "Cargo.toml")}

    def test_only_what_is_compiled_in_is_listed(self):
        packages = [self.package(name, "MIT") for name in ("hmtl", "a", "b", "tests", "build")]
        meta = {"packages": packages, "resolve": {"root": "hmtl", "nodes": [
            node("hmtl", ("a", None), ("tests", "dev"), ("build", "build")),
            node("a", ("b", None)), node("b", ("a", None)), node("tests"), node("build")]}}
        self.assertEqual([p["name"] for p in licenses.contained(meta)], ["a", "b"])

    def test_a_shared_text_is_written_once(self):
        packages = [self.package("a", "MIT", LICENSE="the text\n of both"),
                    self.package("b", "MIT", COPYING="the text of both\n", README="no licence")]
        report = licenses.report(packages, "apache")
        self.assertEqual(report.count("of both"), 1)
        self.assertIn("a 1.0.0, b 1.0.0", report)
        self.assertNotIn("no licence", report)

    def test_a_crate_without_a_file_has_the_apache_text_or_none(self):
        self.assertIn("apache text", licenses.report([self.package("a", "MIT/Apache-2.0")], "apache text"))
        with self.assertRaisesRegex(licenses.LicenseError, "b 1.0.0 ships no licence"):
            licenses.report([self.package("b", "MIT")], "apache text")


if __name__ == "__main__":
    unittest.main()
