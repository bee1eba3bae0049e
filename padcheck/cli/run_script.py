"""Runs a user's program under watch, and ends with its exit code or with that of the findings."""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any, NoReturn

from padcheck.cli import files, output
from padcheck.cli.option_values import build
from padcheck.cli.streams import original_streams
from padcheck.core.exit_codes import ProgramExitCode
from padcheck.core.run_report import CallerFinding
from padcheck.core.settings import JudgeSettings, OutputSettings
from padcheck.reporters.run.wording import one_line
from padcheck.running.processes import processes
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
    files.require_writable(out, reads=[files.possible_path("SCRIPT", script.path)])
    shared = processes()
    watched = Watched(judgement, every_call=values.get("every_call", False), found=_printer(out), processes=shared)
    with original_streams(), watched.watching(script.file):
        exit_code = script.run(argv)
    shared.leave()
    if shared.is_reporting:  # otherwise this is a child that the program has forked, or another rank reports
        if not exit_code:  # if this rank has failed, the others may wait for it
            watched.wait()
        document = watched.document(name, tuple(argv), exit_code)
        with redirect_stdout(getattr(sys.stderr, "styled", sys.stderr)):
            output.write(document, out)
        if not exit_code:
            sys.exit(document.exit_code)
    sys.exit(ProgramExitCode(exit_code))


def _printer(out: OutputSettings) -> Callable[[CallerFinding], None] | None:
    stderr = sys.stderr  # the program may replace it

    def show(finding: CallerFinding) -> None:
        stderr.write(f"padcheck: {one_line(finding)}\n")

    return None if out.quiet else show
