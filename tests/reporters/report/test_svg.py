from xml.etree import ElementTree as ET

import pytest
from builders import HOSTILE, model_facts, report, run_result, runs, tokenizer_facts

from padcheck.reporters import Format, View, render


def _text(svg: str) -> str:
    return "".join(ET.fromstring(svg).itertext()).replace("\u00a0", " ")


def test_the_picture_is_well_formed_and_shows_the_table() -> None:
    text = _text(render(report(), Format.SVG, View()))
    assert "padcheck compare some/model" in text
    assert "PASS: left padding changes nothing" in text


def test_the_picture_is_always_in_colour() -> None:
    assert render(report(), Format.SVG, View(color=False)) == render(report(), Format.SVG, View(color=True))


@pytest.mark.parametrize(
    "changes",
    [
        {"model": model_facts(id="<script>&\"']]>")},
        {"model": model_facts(id=HOSTILE)},
        {"prompts": (HOSTILE, "<script>alert(1)</script>")},
        {"runs": runs(left=run_result("left", warnings=(HOSTILE, "<![CDATA[ --> &amp; &#7;")))},
    ],
    ids=["markup in the title", "control characters in the title", "prompts", "warnings"],
)
def test_hostile_text_stays_text(changes: dict[str, object]) -> None:
    svg = render(report(**changes), Format.SVG, View())
    tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(svg).iter()}
    assert "script" not in tags


def test_markup_is_shown_unchanged() -> None:
    svg = render(report(prompts=("one ", "<b>&amp;[bold]</b>")), Format.SVG, View())
    assert "<b>&amp;[bold]</b>" in _text(svg)


def test_no_line_to_paste_is_cut_off() -> None:
    tokenizer = tokenizer_facts(pad_token=None, pad_token_id=None, pad_token_used="<|a token of some length|>")
    shown = report(tokenizer=tokenizer)
    text = _text(render(shown, Format.SVG, View(width=60, verbose=True)))
    lines = [*(advice.line for advice in shown.advice), *(finding.fix for finding in shown.findings)]
    assert all(part.split("#")[0].strip() in text for line in lines for part in line.split("; "))


def test_the_width_of_a_picture_is_limited() -> None:
    shown = report(tokenizer=tokenizer_facts(pad_token=None, pad_token_id=None, pad_token_used="x" * 5000))
    assert float(ET.fromstring(render(shown, Format.SVG, View())).get("viewBox").split()[2]) < 3000
