"""The page without a browser: what is on it, in which place, and that text from a model stays text."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
from builders import (
    HOSTILE,
    arms,
    batch,
    check,
    difference,
    differences,
    evidence,
    many_prompts,
    model_facts,
    raised,
    report,
    row,
    samples,
    tokenizer_facts,
    unmeasured,
    unpadded_difference,
)
from msgspec.structs import replace
from surveys import MIXED

from padcheck.evidence import Sample
from padcheck.exits import ExitCode
from padcheck.judge import judge
from padcheck.report import KnownFinding
from padcheck.reporters import Format, View, render
from padcheck.reporters.html import shown_prompts
from padcheck.reporters.html.alignment import align, align_samples
from padcheck.reporters.html.chart import draw
from padcheck.reporters.html.heat_map import Stripe, stripes
from padcheck.settings import JudgeSettings
from padcheck.severity import Severity

WRONG = (unpadded_difference(0.0), difference(0.5))
FAILED = report(differences=differences(left=WRONG, right=WRONG), tokenizer=tokenizer_facts(padding_side="right"))
BREAKING_OUT = "</script><script>alert(1)</script> <s> <b onload=x> \" ' {{ 7 * 7 }} {% raise %} \x1b[31m \u202e"


class Page(HTMLParser):
    """The elements of a page with their attributes, and all its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == [], "elements that are not closed"

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "input") and not tag.startswith("!"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"script", "style"} & set(self.open):
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def page(document):
    return Page(render(document, Format.HTML, View()))


DOCUMENTS = {
    "passed": report(),
    "failed": FAILED,
    "nothing measured": report(arms={}, differences={}),
    "left raised": report(arms=arms(left=raised("left")), differences=differences(left=())),
    "inspection": report("inspect-tokenizer"),
    "check": check(FAILED, unmeasured(), unmeasured("broken", ExitCode.BUG)),
    "survey": MIXED,
}

every_document = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)


@every_document
def test_every_element_is_closed_and_nothing_is_fetched(document):
    found = page(document)
    for _, attributes in found.elements:
        for name in ("src", "href", "action", "srcset", "style", "onclick", "onload"):
            assert (
                not (attributes.get(name) or "#")
                .replace("data:,", "#")
                .strip("#")
                .removeprefix("model-")
                .strip("0123456789")
            )
    (policy,) = [each["content"] for each in found.all("meta") if each.get("http-equiv")]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert len(found.all("script")) == len(found.all("style")) == 1


@every_document
def test_ids_are_unique_and_links_lead_somewhere(document):
    found = page(document)
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {each["href"].removeprefix("#") for each in found.all("a")} <= set(ids)


def test_the_verdict_comes_first_then_advice_findings_differences_prompts_and_how_to_get_it_again():
    text = page(FAILED).text
    places = [
        "FAIL: left padding",
        "Advice",
        "Findings",
        "How far padding moves",
        "What went into",
        "To get this report",
    ]
    assert [text.index(place) for place in places] == sorted(text.index(place) for place in places)


def test_a_finding_has_its_fix_and_its_documentation():
    text = page(FAILED).text
    finding = FAILED.findings[0]
    assert finding.fix in text
    assert finding.message in text
    assert "Why it matters" in text


def test_known_findings_and_left_out_rules_say_so():
    settings = JudgeSettings(known={"PAD201": Severity.ERROR}, ignore={"PAD106": "we pass the side"})
    text = page(report(settings=settings, differences=differences(left=WRONG, right=WRONG))).text
    assert "known" in text
    assert "we pass the side" in text


def test_a_check_links_to_each_model_and_tells_what_could_not_be_measured():
    known = KnownFinding(model="some/model", code="PAD106", severity=Severity.WARNING)
    found = page(check(FAILED, unmeasured(), vanished=(known,)))
    assert [each["href"] for each in found.all("a")] == ["#model-1", "#model-2"]
    assert "NOT MEASURED: There is no nope." in found.text
    assert "Name another." in found.text
    assert "Gone since the baseline was written: some/model: PAD106" in found.text


def test_a_survey_shows_its_table():
    text = page(MIXED).text
    assert "gpt_odd" in text
    assert "it needs timm" in text


@pytest.mark.parametrize("text", [BREAKING_OUT, HOSTILE])
@pytest.mark.parametrize("document", ["report", "inspection", "check"])
def test_text_from_a_model_stays_text(text, document):
    rows = tuple(row_with(text, row) for row in batch("left"))
    hostile = {
        "model": model_facts(id=text, architecture=text, revision=text),
        "prompts": (text, text),
        "tokenizer": tokenizer_facts(class_name=text, pad_token_used=text, eos_token=text),
        "generation_config": {text: text},
        "load_warnings": (text,),
        "samples": samples(left=Sample(error=text)),
        "arms": {name: arm_with(rows, each) for name, each in arms().items()},
    }
    found = {
        "report": lambda: judge(
            "compare", evidence(**hostile, settings={"model": text, "prompts": [text]}), JudgeSettings()
        ),
        "inspection": lambda: report("inspect-tokenizer", **{k: v for k, v in hostile.items() if k != "arms"}),
        "check": lambda: check(unmeasured(text, what=text, meaning=text, change=text), report(**hostile)),
    }[document]()
    shown = page(found)
    assert len(shown.all("script")) == 1
    assert not shown.all("b")
    assert not shown.all("s")
    assert "\x1b" not in shown.text
    assert "\u202e" not in shown.text
    assert "49" not in re.findall(r"\b49\b", shown.text)


def row_with(text, row):
    return replace(row, tokens=(text,) * len(row.tokens), text=text, prompt_text=text, generated_text=text)


def arm_with(rows, arm):
    return replace(arm, rows=rows)


def test_the_same_real_token_stands_in_the_same_column():
    lines = {line.title: line.cells for line in align(report(), 1)}
    assert [cell.kind for cell in lines["left"]] == ["pad", "pad", "prompt", "none", "none", "new", "new"]
    assert [cell.kind for cell in lines["right"]] == ["none", "none", "prompt", "pad", "pad", "new", "new"]
    assert [cell.kind for cell in lines["single"]] == ["none", "none", "prompt", "none", "none", "new", "new"]
    assert {cells[2].token_id for cells in lines.values()} == {"10"}
    assert len({len(cells) for cells in lines.values()}) == 1


def test_a_sample_is_aligned_by_its_mask_whatever_side_was_asked_for():
    wrong = report("inspect-tokenizer", samples=samples(left=Sample(rows=batch("right", new=()))))
    lines = align_samples(wrong, 1)
    assert [[cell.kind for cell in line.cells] for line in lines] == [["prompt", "pad", "pad"]] * 2


def test_a_position_that_is_not_the_masks_is_marked():
    odd = row(1, prompt=(10,), num_pads=2, side="left", position_ids=(0, 0, 2, 1, None))
    lines = align(report(arms=arms(left=arm_with((row(0), odd), arms()["left"]))), 1)
    (left,) = [line.cells for line in lines if line.title == "left"]
    assert [cell.position for cell in left if cell.unlike] == ["2"]


def test_a_mask_is_drawn_in_stripes():
    assert stripes(batch("left")) == [
        Stripe("prompt", 0, 0, 3),
        Stripe("new", 0, 3, 2),
        Stripe("pad", 1, 0, 2),
        Stripe("prompt", 1, 2, 1),
        Stripe("new", 1, 3, 2),
    ]


def test_the_chart_has_a_decade_a_line_and_puts_larger_differences_higher():
    drawn = draw(report(differences=differences(left=(unpadded_difference(0.0), difference(0.5, 0.4)))), "left")
    labels = {tick.label: tick.at for tick in drawn.values}
    assert labels["0"] == max(labels.values())
    decades = [tick.at for tick in drawn.values if tick.label.startswith("1e")]
    assert decades == sorted(decades, reverse=True)
    steps = {round(later - earlier, 6) for earlier, later in pairwise(decades)}
    assert len(steps) == 1
    unpadded, padded = drawn.curves
    assert (unpadded.changed, padded.changed) == (False, True)
    assert {point.y for point in unpadded.points} == {labels["0"]}
    assert all(point.y < drawn.allowed.at for point in padded.points)
    assert padded.points[0].x < padded.points[1].x
    assert padded.points[0].label == "prompt 1, token 0: 0.5"


def test_what_is_no_number_stands_above_all_numbers():
    drawn = draw(report(differences=differences(left=(unpadded_difference(0.1), difference(None)))), "left")
    assert drawn.values[-1].label == "NaN"
    assert {point.y for point in drawn.curves[-1].points} == {drawn.values[-1].at}
    assert all(tick.at > drawn.top for tick in drawn.values[:-1])


@pytest.mark.parametrize("numbers", [(0.0, 0.0), (1e-30, 1e3), (1.0, 1.0), (None, None), (0.0, None)])
def test_the_chart_holds_any_numbers(numbers):
    drawn = draw(report(differences=differences(left=(unpadded_difference(0.0), difference(*numbers)))), "left")
    for curve in drawn.curves:
        assert all(drawn.top <= point.y <= drawn.bottom for point in curve.points)
        assert all(drawn.left <= point.x <= drawn.right for point in curve.points)


def test_there_is_no_chart_of_what_did_not_run():
    assert draw(report(arms={}, differences={}), "left") is None


def test_many_prompts_are_cut_and_those_that_padding_changed_come_first():
    changes = many_prompts(40)
    rows = list(changes["differences"]["left"])
    rows[39] = difference(0.9, 0.9, prompt_index=39)
    found = report(**changes | {"differences": changes["differences"] | {"left": tuple(rows)}})
    assert shown_prompts(found)[-1] == 39
    assert len(shown_prompts(found)) == 24
    shown = page(found)
    assert "16 further prompts are in the JSON report." in shown.text
    assert sum("open" in each for each in shown.all("details")) == 4
