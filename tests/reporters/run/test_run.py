"""A watched program in every format: complete, and safe with hostile file names, lines of code and notes."""

import json

import pytest
from builders import HOSTILE, report
from documents import CODE

from padcheck.core import json_io
from padcheck.core.exit_codes import ExitCode
from padcheck.core.faults import CodePlace, Fault, WatchedCalls
from padcheck.core.run_report import Run, Suppressed
from padcheck.judging.caller_rules import find_code
from padcheck.reporters import Format, View, render
from padcheck.reporters.run import wording

FACTS = {"operation": HOSTILE, "max_abs_diff": 2.5, "model": CODE, "width": 3}

every_format = pytest.mark.parametrize("fmt", Format, ids=lambda fmt: fmt.value)


def a_run(**changes: object) -> Run:
    fault = Fault(code="PAD509", place=CodePlace(file="/far/away.py", line=7), facts=FACTS)
    fields = {
        "status": "fail",
        "exit_code": ExitCode.FINDINGS,
        "script": HOSTILE,
        "environment": report().evidence.environment,
        "calls": WatchedCalls(tokenizer=1, forward=1, padded=1, checked=1),
        "findings": (find_code("PAD509").finding(fault, HOSTILE, CODE),),
        "suppressed": (Suppressed(code="PAD508", file=CODE, line=3, reason=HOSTILE),),
        "notes": (CODE,),
        "script_exit_code": 5,
    }
    return Run(**fields | changes)


@every_format
def test_hostile_texts_stay_texts(fmt):
    text = render(a_run(), fmt, View(width=100))
    if fmt not in (Format.JSON, Format.SARIF):  # data, in which JSON escapes what it must
        assert not {"\x1b", "\x07", "\u202e", "\u200b"} & set(text)
    assert "PAD509" in text
    if fmt in (Format.HTML, Format.SVG):
        assert "<script>alert" not in text
        assert "<img src=x" not in text


@every_format
@pytest.mark.parametrize(("status", "exit_code"), [("pass", ExitCode.OK), ("not_measured", ExitCode.NOT_MEASURED)])
def test_a_run_without_findings_can_be_shown(fmt, status, exit_code):
    quiet = a_run(status=status, exit_code=exit_code, findings=(), suppressed=(), notes=(), script_exit_code=0)
    text = render(quiet, fmt, View(width=100))
    assert text
    if fmt in (Format.TABLE, Format.MARKDOWN, Format.HTML):
        assert wording.conclusion(quiet) in text


def test_json_is_read_back(tmp_path):
    file = tmp_path / "run.json"
    file.write_text(json_io.dump(a_run()))
    assert json_io.load(file) == a_run()
    written = json.loads(file.read_text())
    assert {"schema_version", "script", "argv", "calls", "findings"} <= set(written)


def test_a_finding_is_one_line_that_begins_with_its_place():
    line = wording.one_line(a_run().findings[0])
    assert "\n" not in line
    assert ":7: PAD509: " in line
