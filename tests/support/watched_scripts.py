"""The scripts of tests/scripts: programs with one padding mistake each, and right ones that look suspicious."""

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

from padcheck.core.recording import Recording
from padcheck.core.run_report import Run
from padcheck.core.settings import JudgeSettings
from padcheck.demo import MODEL_FOLDER
from padcheck.running.recorder import Recorder
from padcheck.running.script import Script
from padcheck.running.watched import Watched
from padcheck.watching.widening import Widening

FOLDER = Path(__file__).parent.parent / "scripts"
FAULTY = sorted((FOLDER / "faulty").glob("*.py"))
RIGHT = sorted((FOLDER / "right").glob("*.py"))

NEAR = 2
"""How many lines a finding may be off."""

_MARK = re.compile(r"# fault: (PAD\d+)")


def planted(script: Path) -> Iterator[tuple[str, int]]:
    """The code and line of each mistake that a script marks."""
    for number, line in enumerate(script.read_text(encoding="utf-8").splitlines(), 1):
        if found := _MARK.search(line):
            yield found[1], number


def is_found(run: Run, code: str, line: int) -> bool:
    """True if the run has a finding of this code near this line."""
    return any(finding.code == code and abs(finding.line - line) <= NEAR for finding in run.findings)


def watch(script: Path, *, every_call: bool = False) -> tuple[Run, str]:
    """Runs a script under watch in this process; returns the report and what the script printed."""
    watched = Watched(JudgeSettings(), every_call=every_call)
    printed = io.StringIO()
    program = Script(str(script), is_module=False)
    with contextlib.redirect_stdout(printed), watched.watching(str(script)):
        exit_code = program.run([str(MODEL_FOLDER)])
    return watched.document(str(script), (), exit_code), printed.getvalue()


def say(script: Path, columns: int = 0) -> Recording:
    """Runs a script without watching, with this many more columns in padded batches; returns what it says."""
    recorder = Recorder()
    widening = Widening(columns)
    wider = widening.active() if columns else contextlib.nullcontext()
    with contextlib.redirect_stdout(io.StringIO()), recorder.recording(), wider:
        exit_code = Script(str(script), is_module=False).run([str(MODEL_FOLDER)])
    return recorder.recorded(exit_code, widening.batches)


def run_bare(script: Path) -> str:
    """Runs a script without watching; returns what it printed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert Script(str(script), is_module=False).run([str(MODEL_FOLDER)]) == 0
    return printed.getvalue()
