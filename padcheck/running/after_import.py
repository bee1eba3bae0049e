"""Calls a function as soon as the user's program has imported a library.

padcheck must not import transformers first: the program may set environment variables that the library reads once.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType


@contextmanager
def after_import(library: str, then: Callable[[], None]) -> Iterator[None]:
    """Within the context, `then` is called after the import of the library, or at once if it is imported already."""
    if library in sys.modules:
        then()
        yield
        return
    finder = _Finder(library, then)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        if finder in sys.meta_path:
            sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    """Finds the library as Python does, and extends its loader."""

    def __init__(self, library: str, then: Callable[[], None]) -> None:
        self._library = library
        self._then = then
        self._is_asking_others = False

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        if fullname != self._library or self._is_asking_others:
            return None
        self._is_asking_others = True
        try:
            spec = find_spec(fullname)
        finally:
            self._is_asking_others = False
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        # A program may look for the library many times before it imports it.
        def exec_module(module: ModuleType) -> None:
            if self in sys.meta_path:
                sys.meta_path.remove(self)
            load(module)
            self._then()

        vars(spec.loader)["exec_module"] = exec_module
        return spec
