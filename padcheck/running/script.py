"""Runs a user's program as Python would: as `__main__`, with its own arguments, and with its own way to end."""

import runpy
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from padcheck.core.errors import UsageError
from padcheck.core.repository import from_repository_root

_INTERRUPTED = 130


class Script:
    """A program: a file, or a module as for `python -m`."""

    def __init__(self, name: str, *, is_module: bool) -> None:
        """Finds the program.

        Raises:
            UsageError: There is no such file or module, or it is a notebook.
        """
        self.name = name
        self.file = _file_of_module(name) if is_module else _script_file(name)
        self._is_module = is_module

    @property
    def path(self) -> Path:
        """Its file."""
        return Path(self.file)

    @property
    def shown(self) -> str:
        """Its name in reports and baselines: that of the module, or the file from the root of its repository."""
        return self.name if self._is_module else from_repository_root(self.path)

    def run(self, argv: Sequence[str]) -> int:
        """Runs the program and returns its exit code. An error of the program is shown as Python shows it."""
        before, sys.argv = sys.argv, [self.file, *argv]
        with _imports_from(Path.cwd() if self._is_module else Path(self.file).resolve().parent):
            try:
                if self._is_module:
                    runpy.run_module(self.name, run_name="__main__", alter_sys=True)
                else:
                    runpy.run_path(self.file, run_name="__main__")
            except SystemExit as ended:
                return _exit_code(ended.code)
            except BaseException as error:  # noqa: BLE001  it is the program's
                traceback = _of_program(error.__traceback__)
                sys.excepthook(type(error), error.with_traceback(traceback), traceback)
                return _INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
            finally:
                _wait_for_threads()
                sys.argv = before
        return 0


@contextmanager
def _imports_from(folder: Path) -> Iterator[None]:
    """Looks for modules in this folder first, as Python does for a program that it starts."""
    before = sys.path[:]
    sys.path[0] = str(folder)
    try:
        yield
    finally:
        sys.path[:] = before


def _script_file(name: str) -> str:
    path = Path(name)
    if path.suffix == ".ipynb":
        raise UsageError(
            f"{name} is a notebook.",
            change="In the cell that calls the model, write `import padcheck` and `with padcheck.watch():`. Or convert "
            f"it first: jupyter nbconvert --to script {name}",
        )
    if not path.is_file():
        raise UsageError(
            f"There is no script {name}.", change="Check the path. For a module, write -m before its name."
        )
    return name


def _file_of_module(name: str) -> str:
    try:
        with _imports_from(Path.cwd()):
            spec = find_spec(name)
            if spec is not None and spec.submodule_search_locations is not None:
                spec = find_spec(f"{name}.__main__")
    except (ImportError, ValueError):
        spec = None
    if spec is None or spec.origin is None:
        raise UsageError(f"There is no module {name} that can be run.", change="Check its name, as for `python -m`.")
    return spec.origin


def _exit_code(code: object) -> int:
    if code is None or isinstance(code, int):
        return int(code or 0) & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def _of_program(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback without the frames that started the program."""
    own = f"{Path(__file__).parents[1]}/"
    while traceback is not None:
        file = traceback.tb_frame.f_code.co_filename
        if not file.startswith(("<frozen ", own)) and Path(file).name != "runpy.py":
            return traceback
        traceback = traceback.tb_next
    return None


def _wait_for_threads() -> None:
    """Waits for the program's threads, as Python does before it ends."""
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
