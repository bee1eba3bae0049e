"""Finds the line of the user's code that is running, as opposed to a line of a library."""

import site
import sys
import sysconfig
from functools import cache
from pathlib import Path
from types import FrameType

import torch
import transformers

from padcheck.core.faults import CodePlace

_NOTEBOOK = "<ipython-input"
_PADCHECK = Path(__file__).parents[1]
_TORCH = Path(torch.__file__).parent


def user_place(*, directly: bool = False) -> CodePlace | None:
    """The innermost line of user code on the stack; None if no user code is running.

    Args:
        directly: Only if user code made the call itself: between it and torch or padcheck no other library is running.
    """
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  the documented way to the stack
    while frame is not None:
        file = frame.f_code.co_filename
        if is_user_file(file):
            return CodePlace(file=file, line=frame.f_lineno)
        if directly and not file.startswith(_OWN_FOLDERS):
            return None
        frame = frame.f_back
    return None


def calling_library() -> str | None:
    """The package that called padcheck; None if it was user code."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    while frame is not None and frame.f_code.co_filename.startswith(_OWN_FOLDERS[0]):
        frame = frame.f_back
    if frame is None or is_user_file(frame.f_code.co_filename):
        return None
    return str(frame.f_globals.get("__name__", "a library")).partition(".")[0]


def declare_user_file(file: str) -> None:
    """Makes a file count as the user's although it is installed as a library: the module of `padcheck run -m`."""
    _DECLARED.add(file)
    is_user_file.cache_clear()


@cache
def is_user_file(file: str) -> bool:
    """True for a file, or a notebook's cell, that is not part of Python, of an installed library or of padcheck."""
    if file in _DECLARED or file.startswith(_NOTEBOOK):
        return True
    return not file.startswith("<") and not file.startswith(_LIBRARY_FOLDERS)


def _folders_of_libraries() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    named = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    found = {
        *named,
        *map(str, (_PADCHECK, _TORCH, Path(transformers.__file__).parent)),
        *site.getsitepackages(),
        site.getusersitepackages(),
    }
    return tuple({f"{path}/" for path in found} | {f"{Path(path).resolve()}/" for path in found})


_DECLARED: set[str] = set()
_LIBRARY_FOLDERS = _folders_of_libraries()
_OWN_FOLDERS = tuple(f"{folder}/" for folder in (_PADCHECK, _TORCH))
"""padcheck first."""
