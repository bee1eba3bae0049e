"""What happens after an import, however the program looks for the library before."""

import importlib.util
import sys

import pytest

from padcheck.running.after_import import after_import


@pytest.fixture
def library(tmp_path, monkeypatch):
    """The name of a library that is not imported yet."""
    (tmp_path / "some_library.py").write_text("value = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield "some_library"
    sys.modules.pop("some_library", None)


def test_the_function_is_called_once_after_the_import(library):
    calls = []
    with after_import(library, lambda: calls.append(sys.modules[library].value)):
        assert calls == []
        importlib.import_module(library)
        importlib.import_module(library)
    assert calls == [1]


def test_looking_for_the_library_is_no_import(library):
    calls = []
    before = list(sys.meta_path)
    with after_import(library, lambda: calls.append(1)):
        for _ in range(3):  # as libraries do that support each other
            assert importlib.util.find_spec(library) is not None
        assert calls == []
        importlib.import_module(library)
        assert calls == [1]
        assert sys.meta_path == before


def test_a_library_that_is_imported_already_is_no_import(library):
    importlib.import_module(library)
    calls = []
    with after_import(library, lambda: calls.append(1)):
        assert calls == [1]


def test_a_library_that_is_never_imported_leaves_nothing_behind(library):
    before = list(sys.meta_path)
    with after_import(library, pytest.fail):
        assert importlib.util.find_spec("no_such_library") is None
    assert sys.meta_path == before
