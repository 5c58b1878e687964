"""Wheels: a pure one, and with HMTL_STAGE=/prefix one that brings the library of that installation."""

import importlib.util
import os
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

import hmtl
from support import PACKAGE

ANNOTATE = """
import hmtl
with hmtl.Model() as model:
    names = [m.text for m, _ in model.annotate("Ada Lovelace left Oslo.").labelled("ner")]
print(hmtl.library_path(), names)
"""


@unittest.skipIf(importlib.util.find_spec("hatchling") is None, "needs hatchling, which is not installed")
class Wheels(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def built(self, **environment):
        variables = {k: v for k, v in os.environ.items() if k != "HMTL_STAGE"}
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(self.folder)]
        result = subprocess.run(
            command, cwd=PACKAGE, env={**variables, **environment}, capture_output=True, text=True
        )
        self.assertEqual(result.returncode, 0, result.stderr)
        (wheel,) = self.folder.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(self.folder / "site")
        return wheel.name

    def test_a_pure_wheel_has_the_package_and_its_licences(self):
        self.assertEqual(self.built(), f"hmtl-{hmtl.__version__}-py3-none-any.whl")
        files = {str(path.relative_to(self.folder / "site")) for path in self.folder.rglob("site/**/*")}
        about = f"hmtl-{hmtl.__version__}.dist-info"
        for name in ("hmtl/py.typed", "hmtl/spacy.py", f"{about}/licenses/LICENSE-MIT"):
            self.assertIn(name, files)
        self.assertFalse([name for name in files if ".so" in name])
        entry_points = (self.folder / "site" / about / "entry_points.txt").read_text()
        self.assertIn("[spacy_factories]\nhmtl = hmtl.spacy:create_hmtl", entry_points)

    def test_a_wheel_with_the_library_needs_nothing_else(self):
        stage = os.environ.get("HMTL_STAGE")
        if not stage:
            self.skipTest("HMTL_STAGE names no installation")
        self.assertRegex(self.built(HMTL_STAGE=stage), r"-py3-none-manylinux_2_\d+_x86_64\.whl$")
        site = self.folder / "site"
        result = subprocess.run(
            [sys.executable, "-c", ANNOTATE], env={"PYTHONPATH": str(site)}, capture_output=True, text=True
        )
        self.assertEqual(result.stderr, "")
        self.assertEqual(result.stdout.strip(), f"{site}/hmtl/lib/libhmtl.so.0 ['Ada Lovelace', 'Oslo']")


if __name__ == "__main__":
    unittest.main()
