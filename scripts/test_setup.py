"""Tests of setup.py with small wheels made here and a stand-in for pip: no network, no large files.

Run with `python3 -m unittest discover -s scripts`.
"""

import contextlib
import errno
import io
import json
import shutil
import tempfile
import unittest
import zipfile
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import setup


def make_wheel(folder, name, members):
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in members.items():
            archive.writestr(member, text)
    return path


class Case(unittest.TestCase):
    def setUp(self):
        self.dir = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.dir)
        self.root, self.index = self.dir / "project", self.dir / "index"
        self.root.mkdir()
        self.index.mkdir()
        self.final = self.root / ".libtorch"
        torch = make_wheel(self.index, "torch", {
            "torch/include/ATen/ATen.h": "// header\n", "torch/lib/libc10.so": "c10",
            "torch/lib/libtorch_cpu.so": "cpu" * 1000, "torch/lib/libgomp.so.1": "gomp",
            "torch/lib/libtorch_cuda.so": "large", "torch/lib/libtorch.so": "draws in cuda"})
        cuda = make_wheel(self.index, "cuda", {
            "nvidia/cu13/lib/libcudart.so.13": "cudart", "nvidia/cu13/lib/libcudart_static.a": "large"})
        self.wheels = (
            setup.Wheel("torch", "1.0", "any", setup.sha256(torch), 1,
                        (("torch/include/", "torch/include/"),
                         ("torch/lib/libc10.so", "torch/lib/libc10.so"),
                         ("torch/lib/libtorch_cpu.so", "torch/lib/libtorch_cpu.so"),
                         ("torch/lib/libgomp.so.1", "torch/lib/libgomp.so.1"))),
            setup.Wheel("cuda", "1.0", "any", setup.sha256(cuda), 1,
                        (("nvidia/cu13/lib/libcudart.so.13", "nvidia/cu13/lib/libcudart.so.13"),)))
        self.downloads = []

    def pip(self, wheel, folder):
        self.downloads.append(wheel.name)
        for path in self.index.glob(f"{wheel.name}-*.whl"):
            shutil.copy(path, folder)

    def run_setup(self, pip=None, free=10**12):
        with contextlib.redirect_stdout(io.StringIO()):
            return setup.setup(self.root, self.wheels, pip or self.pip, lambda path: free)

    def fails(self, **arguments):
        with self.assertRaises(setup.SetupError) as caught:
            self.run_setup(**arguments)
        self.assertNotIn("\n", str(caught.exception))
        return str(caught.exception)


class Unpacking(Case):
    def test_unpacks_only_what_is_needed(self):
        self.assertTrue(self.run_setup())
        files = {str(path.relative_to(self.final)) for path in self.final.rglob("*") if not path.is_dir()}
        self.assertEqual(files, {
            "stamp.json", "torch/build-version", "torch/include/ATen/ATen.h", "torch/lib/libc10.so",
            "torch/lib/libgomp.so", "torch/lib/libgomp.so.1", "torch/lib/libtorch.so",
            "torch/lib/libtorch_cpu.so", "nvidia/cu13/lib/libcudart.so.13"})
        self.assertEqual((self.final / "torch/lib/libtorch.so").read_text(), "INPUT ( -ltorch_cpu )\n")
        self.assertEqual((self.final / "torch/lib/libgomp.so").read_text(), "gomp")
        self.assertFalse((self.root / ".libtorch.part").exists())

    def test_second_run_does_nothing_and_needs_no_network(self):
        self.run_setup()
        self.assertFalse(self.run_setup(pip=mock.Mock(side_effect=AssertionError), free=0))

    def test_new_pins_replace_an_old_folder(self):
        self.run_setup()
        stamp = self.final / "stamp.json"
        stamp.write_text(json.dumps({**json.loads(stamp.read_text()), "wheels": {"torch==0.9": "00"}}))
        (self.final / "torch/lib/of_old").write_text("")
        self.assertTrue(self.run_setup())
        self.assertFalse((self.final / "torch/lib/of_old").exists())


class Recovery(Case):
    def test_truncated_missing_and_stampless_folders_are_rebuilt(self):
        library = self.final / "torch/lib/libtorch_cpu.so"
        for damage in (lambda: library.write_text("cp"), library.unlink,
                       (self.final / "stamp.json").unlink,
                       lambda: (self.final / "stamp.json").write_text("[1")):
            self.run_setup()
            damage()
            self.assertTrue(self.run_setup())
            self.assertEqual(library.stat().st_size, 3000)

    def test_interrupted_download_keeps_the_finished_wheels(self):
        def stops(wheel, folder):
            if wheel.name == "cuda":
                raise KeyboardInterrupt
            self.pip(wheel, folder)

        with self.assertRaises(KeyboardInterrupt):
            self.run_setup(pip=stops)
        self.assertFalse(self.final.exists())
        self.assertTrue(self.run_setup())
        self.assertEqual(self.downloads, ["torch", "cuda"])

    def test_interrupted_unpacking_leaves_no_folder_and_is_taken_up(self):
        with mock.patch("setup.shutil.copyfileobj", side_effect=KeyboardInterrupt):
            with self.assertRaises(KeyboardInterrupt):
                self.run_setup()
        self.assertFalse(self.final.exists())
        self.assertTrue(self.run_setup())
        self.assertEqual(self.downloads, ["torch", "cuda"])

    def test_damaged_download_is_refused_and_fetched_again(self):
        def damaged(wheel, folder):
            self.pip(wheel, folder)
            next(folder.glob("*.whl")).write_bytes(b"damaged")

        self.assertIn("damaged", self.fails(pip=damaged))
        self.assertFalse(self.final.exists())
        self.assertTrue(self.run_setup())

    def test_leftovers_of_pip_are_removed(self):
        leftover = self.root / ".libtorch.part/tmp/pip-download"
        leftover.mkdir(parents=True)

        def stops(wheel, folder):
            self.assertFalse(leftover.exists())
            raise KeyboardInterrupt

        with self.assertRaises(KeyboardInterrupt):
            self.run_setup(pip=stops)

    def test_wheel_cut_short_by_a_kill_is_fetched_again(self):
        cut = self.root / ".libtorch.part/torch"
        cut.mkdir(parents=True)
        (cut / "torch-1.0-py3-none-any.whl").write_bytes(b"PK")
        self.assertTrue(self.run_setup())


class Failures(Case):
    def test_little_disk_space_is_told_before_the_download(self):
        self.assertIn("1.2 GB of free disk space is needed", self.fails(free=10**9))
        self.assertEqual(self.downloads, [])

    def test_pip_that_leaves_nothing_is_told(self):
        self.assertIn("left no wheel of torch", self.fails(pip=lambda wheel, folder: None))

    def test_wheel_without_a_needed_file_is_told(self):
        path = make_wheel(self.index, "cuda", {"nvidia/other": ""})
        old = self.wheels[1]
        self.wheels = (self.wheels[0], setup.Wheel("cuda", "1.0", "any", setup.sha256(path), 1, old.unpack))
        self.assertIn("holds no nvidia/cu13/lib/libcudart.so.13", self.fails())

    def test_unknown_platform_is_told(self):
        for system, machine in (("Linux", "riscv64"), ("Darwin", "x86_64")):
            with self.assertRaisesRegex(setup.SetupError, "set LIBTORCH"):
                setup.wheels_for(system, machine)

    def test_missing_pip_is_told(self):
        with mock.patch("setup.subprocess.run", return_value=SimpleNamespace(returncode=1)):
            self.assertIn("no pip", self.fails(pip=setup.run_pip))

    def test_what_pip_printed_becomes_one_line(self):
        cases = {
            "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device": "disk is full",
            "WARNING: Retrying after connection broken by 'NewConnectionError(...: Failed to establish a new "
            "connection: [Errno -3] Temporary failure in name resolution')'\nERROR: No matching distribution": "network",
            "ERROR: Could not find a version\nERROR: No matching distribution found for torch==1.0": "does not offer",
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.": "damaged",
            "ERROR: something else\n": "something else",
            "": "could not download",
        }
        for stderr, expected in cases.items():
            line = setup.explain_pip(self.wheels[0], stderr)
            self.assertIn(expected, line)
            self.assertNotIn("\n", line)


class Main(Case):
    def main(self, **environ):
        err = io.StringIO()
        with contextlib.redirect_stderr(err), contextlib.redirect_stdout(io.StringIO()):
            code = setup.main(self.root, environ)
        self.assertLessEqual(err.getvalue().count("\n"), 1)
        return code, err.getvalue()

    def own(self, version):
        folder = self.dir / "own"
        (folder / "lib").mkdir(parents=True, exist_ok=True)
        (folder / "include").mkdir(exist_ok=True)
        for name in ("libtorch_cpu.so", "libc10.so"):
            (folder / "lib" / name).write_text("")
        (folder / "build-version").write_text(version)
        return folder

    def test_own_libtorch_is_used_as_it_is(self):
        self.assertEqual(self.main(LIBTORCH=str(self.own("2.11.0+cpu\n"))), (0, ""))
        self.assertFalse(self.final.exists())

    def test_own_python_torch_states_its_version(self):
        folder = self.own("")
        (folder / "build-version").unlink()
        (folder / "version.py").write_text("__all__ = []\n__version__ = '2.11.0+cu130'\n")
        self.assertEqual(setup.check_own(folder), "2.11.0+cu130")

    def test_unusable_own_libtorch_is_refused(self):
        own = self.own("2.9.1+cpu")
        cases = [("lib/x", "relative"), (str(self.dir / "none"), "not a folder"),
                 (str(self.index), "has no lib/libtorch_cpu.so"), (str(own), "holds version 2.9.1+cpu")]
        for value, expected in cases:
            code, err = self.main(LIBTORCH=value)
            self.assertEqual(code, 1)
            self.assertIn(expected, err)
        (own / "build-version").unlink()
        self.assertIn("neither build-version nor version.py", self.main(LIBTORCH=str(own))[1])

    def test_errors_of_the_disk_are_one_line(self):
        error = OSError(errno.ENOSPC, "No space left on device", "/x")
        with mock.patch("setup.setup", side_effect=error), mock.patch("setup.wheels_for"):
            code, err = self.main()
        self.assertEqual(code, 1)
        self.assertIn("/x: No space left on device", err)

    def test_interruption_says_how_to_go_on(self):
        with mock.patch("setup.setup", side_effect=KeyboardInterrupt), mock.patch("setup.wheels_for"):
            code, err = self.main()
        self.assertEqual(code, 130)
        self.assertIn("make setup", err)


if __name__ == "__main__":
    unittest.main()
