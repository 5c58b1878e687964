"""The package and the header of the library say the same."""

import doctest
import re
import unittest

import hmtl
from hmtl import _ffi, _library
from support import PACKAGE, PROJECT

HEADER = PROJECT / "include/hmtl.h"


class Package(unittest.TestCase):
    def setUp(self):
        if not HEADER.is_file():
            self.skipTest("the project is not around the package")
        text = HEADER.read_text()
        self.header = re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.DOTALL)

    def test_the_version_is_that_of_the_library(self):
        cargo = (PROJECT / "Cargo.toml").read_text()
        self.assertEqual(hmtl.__version__, re.search(r'^version = "(.*)"$', cargo, re.MULTILINE).group(1))

    def test_the_abi_version_is_that_of_the_header(self):
        self.assertEqual(
            int(re.search(r"HMTL_ABI_VERSION (\d+)", self.header).group(1)), _library.ABI_VERSION
        )

    def test_every_function_is_declared_with_its_parameters(self):
        declared = {}
        for fallible, name, parameters in re.findall(
            r"(hmtl_error \*)?\bhmtl_(\w+)\(([^)]*)\);", self.header
        ):
            count = 0 if parameters.strip() == "void" else parameters.count(",") + 1
            declared[name] = (bool(fallible), count)
        self.assertGreater(len(declared), 30)
        ours = {name: (True, len(p)) for name, p in _ffi.FALLIBLE.items()}
        ours.update({name: (False, len(p)) for name, (_, p) in _ffi.INFALLIBLE.items()})
        self.assertEqual(declared, ours)

    def test_every_code_is_known(self):
        codes = {name: int(value) for name, value in re.findall(r"HMTL_CODE_(\w+) = (\d+)", self.header)}
        self.assertEqual(codes, {code.name: code.value for code in hmtl.Code})

    def test_every_exported_name_is_there(self):
        for name in hmtl.__all__:
            self.assertTrue(hasattr(hmtl, name), name)

    def test_the_licences_are_those_of_the_project(self):
        for name in ("LICENSE-MIT", "LICENSE-APACHE"):
            self.assertEqual((PACKAGE / name).read_text(), (PROJECT / name).read_text())


class Examples(unittest.TestCase):
    def test_the_documentation_says_what_happens(self):
        for module in (hmtl, hmtl.builder):
            failed, tried = doctest.testmod(module)
            self.assertEqual(failed, 0)
            self.assertGreater(tried, 0)


if __name__ == "__main__":
    unittest.main()
