"""Messages of other libraries: whole sentences or none; a panic of Rust code is an error like any other."""

import pytest

from padcheck.hf.library.exceptions import panics_as_errors, shortened


class PanicException(BaseException):
    """What pyo3 raises if Rust code panics."""


def test_a_sentence_with_a_long_path_is_kept_whole():
    message = f"It looks like the config file at '/{'long/' * 100}config.json' is not a valid JSON file."
    assert shortened(OSError(message)) == message


def test_a_long_second_sentence_is_dropped():
    message = "Unrecognized model in ./folder.\nShould have one of these names: " + "albert, bert, " * 100
    assert shortened(ValueError(message)) == "Unrecognized model in ./folder."


@pytest.mark.parametrize("message", ["", "x" * 2000])
def test_without_a_first_sentence_to_show_the_type_is_named(message):
    assert shortened(KeyError(message) if message else ValueError()) in ("KeyError", "ValueError")


def test_a_panic_is_an_ordinary_error():
    with pytest.raises(RuntimeError, match="panicked: no entry found"), panics_as_errors():
        raise PanicException("no entry found")


def test_an_interrupt_is_not():
    with pytest.raises(KeyboardInterrupt), panics_as_errors():
        raise KeyboardInterrupt
