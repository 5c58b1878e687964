"""Finding the library, and what it says about itself."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import hmtl
from support import python

LOAD = """
import hmtl
try:
    print(hmtl.version(), hmtl.library_path())
except hmtl.LibraryError as error:
    assert error.code == hmtl.Code.UNSUPPORTED and isinstance(error, OSError)
    print("LibraryError:", error)
"""


class Finding(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def loaded(self, **environment):
        result = python(LOAD, **environment)
        self.assertEqual(result.stderr, "")
        return result.stdout.strip()

    def test_importing_the_package_needs_no_library(self):
        result = python("import hmtl; print(hmtl.Document('x').text)", HMTL_LIBRARY="/no/such.so")
        self.assertEqual(result.stdout, "x\n", result.stderr)

    def place(self):
        """Where the library is, if that is known."""
        path = Path(hmtl.library_path())
        if not path.is_absolute():
            self.skipTest("the loader found the library by its name")
        return path

    def test_the_environment_names_it(self):
        named = self.place().parent / "." / "libhmtl.so"
        self.assertEqual(self.loaded(HMTL_LIBRARY=str(named)), f"{hmtl.version()} {named}")

    def test_the_environment_s_mistake_is_named(self):
        said = self.loaded(HMTL_LIBRARY="/no/such.so")
        self.assertIn("/no/such.so: there is no such file", said)
        self.assertIn("HMTL_LIBRARY", said)
        text = self.folder / "text.so"
        text.write_text("no library " * 100)
        self.assertIn("text.so: invalid ELF header", self.loaded(HMTL_LIBRARY=str(text)))

    def test_pkg_config_names_it(self):
        if shutil.which("pkg-config") is None:
            self.skipTest("needs pkg-config, which is not here")
        libdir = self.place().parent
        (self.folder / "hmtl.pc").write_text(
            f"libdir={libdir}\nName: hmtl\nDescription: here\nVersion: 0\nLibs: -lhmtl\n"
        )
        said = self.loaded(HMTL_LIBRARY=None, PKG_CONFIG_PATH=str(self.folder))
        self.assertIn(f"{hmtl.version()} {libdir}/libhmtl.so", said)

    def test_where_it_was_looked_for_is_told(self):
        said = python(
            "from hmtl import _library\n"
            "_library._places = lambda: ['/one/libhmtl.so', 'libnosuch.so.9']\n" + LOAD,
            HMTL_LIBRARY=None,
        ).stdout
        for words in ("cannot find libhmtl.so.0", "HMTL_LIBRARY", "/one/libhmtl.so", "libnosuch.so.9"):
            self.assertIn(words, said)

    def test_another_abi_version_is_refused(self):
        compiler = shutil.which(os.environ.get("CC", "cc"))
        if compiler is None:
            self.skipTest("needs a C compiler, which is not here")
        source, library = self.folder / "other.c", self.folder / "other.so"
        source.write_text("unsigned hmtl_abi_version(void) { return 7; }\n")
        subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
        said = self.loaded(HMTL_LIBRARY=str(library))
        self.assertIn("has ABI version 7, and this package needs 0", said)

    def test_a_function_that_an_older_library_lacks_is_an_error_when_it_is_called(self):
        said = python(
            "import hmtl\nfrom hmtl import _ffi\n_ffi.INFALLIBLE['later'] = (None, ())\n"
            "assert hmtl.version()\n"
            "try:\n    _ffi.api().later()\nexcept hmtl.UnsupportedError as error: print(error)"
        )
        self.assertIn("has no hmtl_later: it is older than this package", said.stdout, said.stderr)


class About(unittest.TestCase):
    def test_the_version_is_that_of_the_package(self):
        self.assertEqual(hmtl.version(), hmtl.__version__)

    def test_the_build_is_described(self):
        info = hmtl.build_info()
        self.assertEqual((info["hmtl"], info["abi"]), (hmtl.version(), hmtl.abi_version()))
        self.assertIn("conll2012", info["formats"])

    def test_there_is_a_cpu(self):
        self.assertIn({"name": "cpu"}, hmtl.devices())

    def test_the_number_of_threads_is_checked(self):
        hmtl.set_num_threads(1)
        for count in (0, -1, 1 << 32):
            with self.assertRaises(hmtl.InvalidArgumentError):
                hmtl.set_num_threads(count)


if __name__ == "__main__":
    unittest.main()
