"""Runs a user's program under watch, and ends with its exit code or with that of the findings."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Any, NoReturn

from padcheck.cli import files, output
from padcheck.cli.option_values import build
from padcheck.cli.streams import original_streams
from padcheck.core import torchrun
from padcheck.core.errors import UsageError
from padcheck.core.exit_codes import ProgramExitCode
from padcheck.core.run_report import CallerFinding
from padcheck.core.settings import JudgeSettings, OutputSettings
from padcheck.judging import baseline
from padcheck.reporters.run.wording import one_line
from padcheck.running.judge_again import accept_run
from padcheck.running.processes import processes
from padcheck.running.recorder import Recorder
from padcheck.running.repeated import Repeat, with_wider_batches
from padcheck.running.script import Script
from padcheck.running.watched import Watched


def run_script(program: Sequence[str], values: Mapping[str, Any]) -> NoReturn:
    """Runs the program, prints each finding when it is made, and writes the report.

    The report goes to stderr, because stdout belongs to the program.

    Raises:
        UsageError: There is no such program, an option is wrong, or a file cannot be written.
    """
    name, *argv = program
    judgement, out = build(JudgeSettings, values), build(OutputSettings, values)
    script = Script(name, is_module=values.get("as_module", False))
    file, writes = values.get("baseline"), "write_baseline" in values
    known = baseline.read(file, may_be_new=writes)
    reads = [files.possible_path("SCRIPT", script.path), *files.read_by(values)]
    files.require_writable(out, reads=reads, baseline=file if writes else None)
    shown = script.shown  # before the program changes the working directory
    columns, shared = _columns(values), processes()
    watched = Watched(
        judgement,
        every_call=values.get("every_call", False),
        known=known.of_script(shown),
        found=_printer(out),
        processes=shared,
    )
    repeat = Repeat(name=name, is_module=values.get("as_module", False), argv=tuple(argv), folder=str(Path.cwd()))
    recorder = Recorder()
    with original_streams(), watched.watching(script.file), recorder.recording() if columns else nullcontext():
        exit_code = script.run(argv)
    shared.leave()
    if shared.is_reporting:  # otherwise this is a child that the program has forked, or another rank reports
        if not exit_code:  # if this rank has failed, the others may wait for it
            watched.wait()
        if columns and not exit_code:
            watched.compared(with_wider_batches(repeat, recorder.recorded(), columns, watched.dtype), script.file)
        document = watched.document(name, tuple(argv), exit_code)
        if writes and file is not None:
            known = baseline.updated_by_run(known, shown, document)
            files.write_file("--baseline", file, baseline.dump(known), out)
            document = accept_run(document)
        with redirect_stdout(getattr(sys.stderr, "styled", sys.stderr)):
            output.write(document, out)
        if not exit_code:
            sys.exit(document.exit_code)
    sys.exit(ProgramExitCode(exit_code))


def _columns(values: Mapping[str, Any]) -> int:
    """How many columns wider the batches are in a further run; 0 for no further run."""
    columns: int = values.get("widen", 0)
    if columns and torchrun.world_size() > 1:
        raise UsageError(
            f"--widen runs the program again, and WORLD_SIZE is {torchrun.world_size()}.",
            meaning="A launcher has started several processes, which run the program together.",
            change="Leave out --widen, or start the program in one process.",
        )
    return columns


def _printer(out: OutputSettings) -> Callable[[CallerFinding], None] | None:
    stderr = sys.stderr  # the program may replace it

    def show(finding: CallerFinding) -> None:
        stderr.write(f"padcheck: {one_line(finding)}\n")

    return None if out.quiet else show
