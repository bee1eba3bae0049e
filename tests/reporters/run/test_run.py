"""A watched program in every format: complete, and safe with hostile file names, lines of code and notes."""

import json

import msgspec
import pytest
from builders import HOSTILE
from documents import CODE, a_run
from markupsafe import escape

from padcheck.core import json_io
from padcheck.core.exit_codes import ExitCode
from padcheck.judging.caller_rules import find_code
from padcheck.judging.rule import is_code
from padcheck.reporters import Format, View, render
from padcheck.reporters.run import wording

every_format = pytest.mark.parametrize("fmt", Format, ids=lambda fmt: fmt.value)


@every_format
@pytest.mark.parametrize("hostile", [HOSTILE, CODE])
def test_hostile_texts_stay_texts(fmt, hostile):
    text = render(a_run(hostile), fmt, View(width=100))
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


def test_an_example_in_code_keeps_its_lines():
    _, right = [text for heading, text in find_code("PAD508").sections() if is_code(heading)]
    assert "\n" in right
    assert escape(right) in render(a_run(code="PAD508"), Format.HTML, View())
    rules = json.loads(render(a_run(), Format.SARIF, View()))["runs"][0]["tool"]["driver"]["rules"]
    assert f"```python\n{right}\n```" in next(rule for rule in rules if rule["id"] == "PAD508")["help"]["markdown"]


def test_json_is_read_back(tmp_path):
    file = tmp_path / "run.json"
    file.write_text(json_io.dump(a_run(HOSTILE)))
    assert json_io.load(file) == a_run(HOSTILE)
    written = json.loads(file.read_text())
    assert {"schema_version", "script", "argv", "calls", "findings"} <= set(written)


def test_a_finding_is_one_line_that_begins_with_its_place():
    line = wording.one_line(a_run(HOSTILE).findings[0])
    assert "\n" not in line
    assert ":7: PAD509: " in line


@pytest.mark.parametrize(("ranks", "text"), [((), ""), ((1,), " in rank 1"), ((0, 3), " in ranks 0, 3")])
def test_the_ranks_are_named(ranks, text):
    run = a_run()
    run = msgspec.structs.replace(run, findings=(msgspec.structs.replace(run.findings[0], ranks=ranks),))
    assert wording.in_ranks(run.findings[0]) == text
    for fmt in (Format.TABLE, Format.MARKDOWN):
        assert (" in rank" in render(run, fmt, View(width=100))) == bool(ranks)
