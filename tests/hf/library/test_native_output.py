import os
from contextlib import redirect_stdout
from io import StringIO

import pytest

from padcheck.hf.library.native_output import native_prints


def test_what_native_code_prints_reaches_only_pythons_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    with redirect_stdout(StringIO()) as printed:
        with native_prints():
            os.write(1, b"a\x1b\xff\n")
            assert printed.getvalue() == ""
        os.write(1, b"afterwards\n")
    assert printed.getvalue() == "a\x1b\\xff\n"
    assert capfd.readouterr().out == "afterwards\n"


def test_stdout_is_put_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="no"), redirect_stdout(StringIO()), native_prints():
        raise ValueError("no")
    os.write(1, b"afterwards\n")
    assert capfd.readouterr().out == "afterwards\n"
