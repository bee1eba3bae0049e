"""A report of the Python API asserts, shows itself, and turns into text, files and dicts."""

import json
from html.parser import HTMLParser

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

import padcheck as public
from padcheck.core import json_io
from padcheck.core.errors import UsageError
from padcheck.demo import MODEL_FOLDER


@pytest.fixture(scope="module")
def report():
    model, tokenizer = (each.from_pretrained(MODEL_FOLDER) for each in (AutoModelForCausalLM, AutoTokenizer))
    return public.compare(model, tokenizer, ["Monday <b>Tuesday", "January February March April"], max_new_tokens=3)


def test_assert_ok_judges_by_its_own_options(report):
    report.assert_ok()
    with pytest.raises(AssertionError, match="FAIL by --fail-on warning"):
        report.assert_ok(fail_on="warning")
    report.assert_ok(fail_on="warning", ignore={"pad1": "known", "PAD2": "known", "PAD4": "known"})
    with pytest.raises(AssertionError) as failed:
        report.assert_ok(fail_on="warning", ignore={"PAD1": "known"})
    assert "PAD101" not in str(failed.value)
    assert report.judgement.fail_on == "error"


def test_assert_ok_keeps_what_the_report_was_judged_with():
    model, tokenizer = (each.from_pretrained(MODEL_FOLDER) for each in (AutoModelForCausalLM, AutoTokenizer))
    ignored = dict.fromkeys(["PAD1", "PAD2"], "known")
    judged = public.compare(model, tokenizer, max_new_tokens=2, fail_on="warning", ignore=ignored)
    judged.assert_ok(ignore={"PAD4": "known"})
    with pytest.raises(AssertionError, match="PAD4"):
        judged.assert_ok()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"fail_on": "never"}, "fail_on is 'never'"),
        ({"ignore": ["PAD1"]}, "ignore is"),
        ({"ignore": {"PAD9999": "why"}}, "PAD9999 names no rule"),
    ],
    ids=str,
)
def test_assert_ok_rejects_wrong_options(report, options, message):
    with pytest.raises(UsageError, match=message):
        report.assert_ok(**options)


def test_it_is_saved_in_the_format_of_the_suffix(report, tmp_path):
    texts = {}
    for suffix in ("html", "json", "md", "svg", "sarif", "txt", "xml"):
        report.save(str(tmp_path / f"report.{suffix}"))
        texts[suffix] = (tmp_path / f"report.{suffix}").read_text(encoding="utf-8")
    assert json_io.load(tmp_path / "report.json").status == report.status
    assert (texts["json"], texts["html"], texts["md"]) == (report.to_json(), report.to_html(), report.to_markdown())
    assert texts["html"].startswith("<!doctype html>")
    assert texts["md"].startswith("# padcheck compare")
    assert texts["svg"].startswith("<svg")
    assert json.loads(texts["sarif"])["version"] == "2.1.0"
    assert "<testsuites" in texts["xml"]
    assert "padcheck" in texts["txt"]


def test_an_unknown_suffix_names_the_known_ones(report, tmp_path):
    with pytest.raises(UsageError, match=r"no suffix that names a format.*\n.*\.html, \.json, \.md"):
        report.save(tmp_path / "report.doc")
    assert list(tmp_path.iterdir()) == []


def test_its_dicts_are_the_rows_of_a_table(report):
    rows = report.to_dicts()
    assert len({tuple(row) for row in rows}) == 1
    assert all(type(value) in (str, int, float, type(None)) for row in rows for value in row.values())
    assert [(row["run"], row["prompt_index"]) for row in rows[:2]] == [("single", 0), ("single", 1)]
    (left,) = [row for row in rows if (row["run"], row["prompt_index"]) == ("left", 1)]
    compared = report.comparisons["left"].rows[1]
    assert left["reference"] == "single"
    assert (left["verdict"], left["max_abs_diff"]) == (compared.verdict.value, compared.max_abs_diff)
    assert left["prompt"] == "January February March April"
    assert left["num_pad_tokens"] == report.evidence.runs["left"].rows[1].num_pad_tokens > 0


def test_the_dicts_of_an_inspection_are_its_samples():
    rows = public.inspect_tokenizer(AutoTokenizer.from_pretrained(MODEL_FOLDER)).to_dicts()
    assert [(row["run"], row["prompt_index"]) for row in rows] == [("left", 0), ("left", 1), ("right", 0), ("right", 1)]
    assert {row["verdict"] for row in rows} == {None}


class Tags(HTMLParser):
    """Checks that every element is closed, and keeps their names."""

    def __init__(self):
        super().__init__()
        self.open, self.seen = [], set()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.seen.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_a_notebook_shows_verdict_and_findings(report):
    shown = report._repr_html_()
    tags = Tags()
    tags.feed(shown)
    tags.close()
    assert tags.open == []
    assert not tags.seen & {"html", "style", "script", "b"}
    for text in (str(report).split("\n", maxsplit=1)[0], "PAD202", "PAD401"):
        assert text in shown


def test_ipython_shows_it_as_html_and_as_text(report):
    formatters = pytest.importorskip("IPython.core.formatters")
    shown, _ = formatters.DisplayFormatter().format(report)
    assert shown == {"text/html": report._repr_html_(), "text/plain": repr(report)}
