"""Runs a program again in a separate process, unchanged or with wider batches: `padcheck run --widen`."""

import gc
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import msgspec

from padcheck.core.recording import Recording, Widened
from padcheck.judging.same_output import compare
from padcheck.running.after_import import after_import
from padcheck.running.recorder import Recorder
from padcheck.running.script import Script


class Repeat(msgspec.Struct, frozen=True, kw_only=True):
    """A program to run again.

    Attributes:
        name: Its file, or its module.
        is_module: Whether it is a module.
        argv: Its arguments.
        folder: The working directory in which it started.
    """

    name: str
    is_module: bool
    argv: tuple[str, ...]
    folder: str


def with_wider_batches(program: Repeat, plain: Recording, columns: int, dtype: str) -> Widened:
    """Runs the program again, unchanged and with wider batches, and compares what it says.

    What differs between two unchanged runs is not compared. A difference is confirmed by one more run.

    Args:
        program: The program.
        plain: What it said in an unchanged run.
        columns: How many pad columns each padded batch gets.
        dtype: The least exact dtype in which its models calculate.
    """
    _free_accelerator()
    again, wide = _run(program, 0), _run(program, columns)
    for run, how in ((again, "unchanged"), (wide, "with wider batches")):
        if run.exit_code:
            said = f": {run.error}" if run.error else ""
            return Widened(columns=columns, failed=f"run again {how}, the program ended with {run.exit_code}{said}")
    if not wide.widened:
        return Widened(columns=columns, failed="no padded batch left a tokenizer, so none was made wider")
    if plain.random == again.random != wide.random:
        return Widened(
            columns=columns,
            batches=wide.widened,
            failed="the width of a batch decides how many random numbers are drawn, as for dropout",
        )
    found = compare(plain, again, [wide], columns, dtype)
    if found.differences:
        found = compare(plain, again, [wide, _run(program, columns)], columns, dtype)
    return found


def _free_accelerator() -> None:
    """Gives back the memory of the run that has ended: the further runs need as much."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        gc.collect()
        torch.cuda.empty_cache()


def _run(program: Repeat, columns: int) -> Recording:
    """Runs the program. It has no stdin, and its streams are not shown."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "recording.json")
        job = msgspec.json.encode(program).decode()
        ended = subprocess.run(
            [sys.executable, "-m", __name__, job, str(columns), str(file)],
            cwd=program.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            check=False,
        )
        error = (ended.stderr.strip().splitlines() or [""])[-1]
        if not file.exists():
            return Recording(exit_code=ended.returncode or 1, said=(), error=error)
        found = msgspec.json.decode(file.read_bytes(), type=Recording)
        return msgspec.structs.replace(found, error=error if found.exit_code else "")


def main(job: str, columns: int, file: Path) -> None:
    """Runs a program in this process, and writes what it said to a file."""
    program = msgspec.json.decode(job, type=Repeat)
    script, recorder, batches = Script(program.name, is_module=program.is_module), Recorder(), []
    with ExitStack() as stack:

        def begin() -> None:
            from padcheck.watching.widening import Widening

            widening = Widening(columns)
            batches.append(widening)
            stack.enter_context(widening.active())

        if columns:
            stack.enter_context(after_import("transformers", begin))
        stack.enter_context(recorder.recording())
        exit_code = script.run(program.argv)
    found = recorder.recorded(exit_code, sum(each.batches for each in batches))
    file.write_bytes(msgspec.json.encode(found))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
