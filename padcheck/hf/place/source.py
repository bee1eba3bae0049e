"""Where the code of a module is: the file as its reader knows it, and the line."""

import functools
import inspect
import sys
from pathlib import Path
from typing import Any

from torch import nn

_INSTALLED = ("site-packages", "dist-packages")


def method_source(module: nn.Module, name: str) -> tuple[str | None, int | None]:
    """File and line of `def NAME` for a method of the module, below its decorators; None for what is not to be found.

    A function that somebody put in place of the method on this one module counts, and what it wraps, as accelerate's
    hooks do, goes before it.
    """
    function = _undecorated(vars(module).get(name) or getattr(type(module), name))
    try:
        path = inspect.getsourcefile(function)
        lines, first = inspect.getsourcelines(function)
    except (OSError, TypeError):  # compiled, or typed into a prompt
        return None, None
    below = next((number for number, line in enumerate(lines) if line.lstrip().startswith(("def ", "async def "))), 0)
    return (None if path is None else _as_known(Path(path).absolute(), function.__module__)), first + below


def _undecorated(function: Any) -> Any:
    function = inspect.unwrap(function)
    while isinstance(function, functools.partial):
        function = inspect.unwrap(function.func)
    return function


def _as_known(path: Path, module_name: str) -> str:
    """From the package on where it is installed, from the working directory on where it is inside, else as it is."""
    folder = next((parent for parent in path.parents if parent.name in _INSTALLED), None)
    if folder is None and path.is_relative_to(Path.cwd()):
        folder = Path.cwd()
    if folder is None:
        package = sys.modules.get(module_name.partition(".")[0])
        roots = [Path(root).absolute().parent for root in getattr(package, "__path__", ())]
        folder = next((root for root in roots if path.is_relative_to(root)), None)
    return path.as_posix() if folder is None else path.relative_to(folder).as_posix()
