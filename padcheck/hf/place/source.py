"""Finds the file and the line of a module's code."""

import functools
import inspect
import sys
from pathlib import Path
from typing import Any

from torch import nn

_INSTALLED = ("site-packages", "dist-packages")


def method_source(module: nn.Module, name: str) -> tuple[str | None, int | None]:
    """The file and the line of `def NAME` (below its decorators) for a method of the module; None if not found.

    If a function was assigned to this one module in place of the method, its source is returned. Wrappers, such as
    accelerate's hooks, are removed first.
    """
    function = _undecorated(vars(module).get(name) or getattr(type(module), name))
    try:
        path = inspect.getsourcefile(function)
        lines, first = inspect.getsourcelines(function)
    except (OSError, TypeError):  # compiled, or entered in an interactive session
        return None, None
    below = next((number for number, line in enumerate(lines) if line.lstrip().startswith(("def ", "async def "))), 0)
    return (None if path is None else _short_path(Path(path).absolute(), function.__module__)), first + below


def _undecorated(function: Any) -> Any:
    """The function without `functools.wraps` and `functools.partial` around it."""
    function = inspect.unwrap(function)
    while isinstance(function, functools.partial):
        function = inspect.unwrap(function.func)
    return function


def _short_path(path: Path, module_name: str) -> str:
    """The path relative to site-packages, the working directory or the folder around its package, if it is inside."""
    folder = next((parent for parent in path.parents if parent.name in _INSTALLED), None)
    if folder is None and path.is_relative_to(Path.cwd()):
        folder = Path.cwd()
    if folder is None:
        package = sys.modules.get(module_name.partition(".")[0])
        roots = [Path(root).absolute().parent for root in getattr(package, "__path__", ())]
        folder = next((root for root in roots if path.is_relative_to(root)), None)
    return path.as_posix() if folder is None else path.relative_to(folder).as_posix()
