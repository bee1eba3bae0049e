"""Records what a program says: what it writes to sys.stdout, and the results that it gives to padcheck."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from padcheck.core.errors import UsageError
from padcheck.core.recording import Recording, Said


class Recorder:
    """Collects what one program says. Everything that it prints still reaches its stdout."""

    def __init__(self) -> None:
        self._results: list[Said] = []
        self._printed: list[tuple[str, tuple[str, int]]] = []

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Within the context sys.stdout is recorded, and so are results."""
        before = sys.stdout
        sys.stdout = _Recorded(before, self)
        _ACTIVE.append(self)
        try:
            yield
        finally:
            _ACTIVE.remove(self)
            if isinstance(sys.stdout, _Recorded):
                sys.stdout = before

    def printed(self, text: str) -> None:
        """The program prints a text."""
        self._printed.append((text, _place()))

    def result(self, name: str, value: Any) -> None:
        """The program gives a result. One that is given again under the same name is another one."""
        number = sum(said.label.startswith(f"result {name}") for said in self._results)
        file, line = _place()
        label = f"result {name}" if not number else f"result {name} ({number + 1})"
        self._results.append(Said(label=label, text=_text(value, name), file=file, line=line))

    def recorded(self, exit_code: int = 0, widened: int = 0) -> Recording:
        """Everything so far."""
        said = (*self._lines(), *self._results)
        return Recording(exit_code=exit_code, said=said, widened=widened, random=_random_state())

    def _lines(self) -> Iterator[Said]:
        number, text, place = 1, "", ("", 0)
        for part, at in self._printed:
            *ended, rest = part.split("\n")
            for end in ended:
                file, line = place if text else at
                yield Said(label=f"stdout line {number}", text=text + end, file=file, line=line)
                number, text = number + 1, ""
            if rest and not text:
                place = at
            text += rest
        if text:
            yield Said(label=f"stdout line {number}", text=text, file=place[0], line=place[1])


_ACTIVE: list[Recorder] = []


def give_result(name: str, value: Any) -> None:
    """Passes a result of the program to the recorders that are active."""
    for recorder in _ACTIVE:
        recorder.result(name, value)


class _Recorded:
    """A stream that records what is written to it."""

    def __init__(self, stream: Any, recorder: Recorder) -> None:
        self._stream = stream
        self._recorder = recorder

    def write(self, text: str) -> Any:
        written = self._stream.write(text)
        self._recorder.printed(text)
        return written

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __iter__(self) -> Any:
        return iter(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _random_state() -> str:
    torch = sys.modules.get("torch")
    if torch is None:
        return ""
    states = [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else ())]
    return sha256(b"".join(state.numpy().tobytes() for state in states)).hexdigest()


def _place() -> tuple[str, int]:
    """The line of the user's code that is running; unknown before the program has imported transformers."""
    places = sys.modules.get("padcheck.watching.places")
    found = None if places is None else places.user_place()
    return ("", 0) if found is None else (found.file, found.line)


def _text(value: Any, name: str) -> str:
    """A result as text, with all its numbers."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_text(each, name)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_text(each, name) for each in value) + "]"
    if isinstance(value, str | int | float | None):
        return str(value)
    if hasattr(value, "tolist"):  # a tensor or an array
        return _text(value.tolist(), name)
    raise UsageError(
        f"The result {name} is a {type(value).__name__}, which cannot be compared.",
        change="Give a number, a text, a tensor, an array, or a list or dict of these.",
    )
