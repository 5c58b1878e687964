"""Errors are exceptions."""

import pickle
import unittest

import hmtl
from hmtl.errors import error_of
from support import model, travels


class Errors(unittest.TestCase):
    def test_each_code_has_a_class_that_python_programs_expect(self):
        for code, kind in {
            hmtl.Code.INVALID_ARGUMENT: ValueError,
            hmtl.Code.IO: OSError,
            hmtl.Code.FORMAT: ValueError,
            hmtl.Code.CONFIG: ValueError,
            hmtl.Code.DATA: ValueError,
            hmtl.Code.DEVICE: RuntimeError,
            hmtl.Code.CANCELLED: hmtl.Cancelled,
            hmtl.Code.UNSUPPORTED: RuntimeError,
            hmtl.Code.INTERNAL: RuntimeError,
        }.items():
            error = error_of(code, "why")
            self.assertIsInstance(error, kind)
            self.assertIsInstance(error, hmtl.Error)
            self.assertEqual((error.code, error.message, str(error)), (code, "why", "why"))

    def test_an_unknown_code_is_internal(self):
        self.assertEqual(error_of(99, "new").code, hmtl.Code.INTERNAL)

    def test_an_error_can_be_pickled(self):
        error = pickle.loads(pickle.dumps(error_of(hmtl.Code.IO, "why")))
        self.assertEqual((type(error), str(error)), (hmtl.IoError, "why"))

    def test_the_library_s_errors_are_raised(self):
        with self.assertRaisesRegex(OSError, "/no/such"):
            hmtl.Model("/no/such")
        with self.assertRaisesRegex(hmtl.InvalidArgumentError, "weather"):
            hmtl.Model(tasks=["weather"])
        with self.assertRaisesRegex(hmtl.InvalidArgumentError, "words"):
            model().annotate("Ada", options={"words": 1})
        with self.assertRaisesRegex(hmtl.IoError, "none.conll"):
            hmtl.Dataset.open("conll2003", "/none.conll")
        with self.assertRaisesRegex(hmtl.DataError, ":1:"):
            hmtl.Dataset.from_jsonl("{")
        with self.assertRaisesRegex(hmtl.ConfigError, "epoch"):
            hmtl.Trainer({"format": 1, "epoch": 2})

    def test_a_surrogate_is_named(self):
        for call in (model().annotate, lambda text: model().annotate_batch([text])):
            with self.assertRaisesRegex(ValueError, r"lone surrogate U\+D83D at index 4"):
                call("Ada \ud83d left")
        with self.assertRaisesRegex(hmtl.InvalidArgumentError, r"texts\[1\]"):
            model().annotate_batch(["fine", "\udc80"])
        with self.assertRaisesRegex(hmtl.InvalidArgumentError, r"tokens\[0\]"):
            model().annotate_tokens(["\ud800"])

    def test_a_nul_in_a_name_is_not_the_end(self):
        for call in (
            lambda: hmtl.Model("models\0x"),
            lambda: hmtl.Dataset.open("json\0l", "x"),
            lambda: hmtl.Dataset.open("jsonl", "x\0y"),
            lambda: hmtl.Trainer("{}\0"),
            lambda: model().annotate("Ada", options="{}\0"),
        ):
            with self.assertRaisesRegex(hmtl.InvalidArgumentError, "NUL"):
                call()

    def test_what_is_no_text_is_a_type_error(self):
        for call in (
            lambda: model().annotate(b"Ada"),
            lambda: model().annotate(None),
            lambda: model().annotate_batch("Ada"),
            lambda: model().annotate_tokens("Ada"),
            lambda: model().annotate("Ada", tasks="ner"),
            lambda: model().annotate("Ada", options=3),
            lambda: hmtl.Trainer(None),
        ):
            with self.assertRaises(TypeError):
                call()

    def test_numbers_that_c_cannot_hold_are_refused(self):
        for call in (
            lambda: model().annotate_tokens(["Ada"], [-1]),
            lambda: model().annotate_tokens(["Ada"], [1 << 64]),
            lambda: travels().get_json(-1),
            lambda: model().annotate("Ada", min_score=float("nan")),
        ):
            with self.assertRaises(hmtl.InvalidArgumentError):
                call()


if __name__ == "__main__":
    unittest.main()
