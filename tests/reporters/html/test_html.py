"""The page without a browser: what it contains and what it must not contain."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest
from builders import (
    HOSTILE,
    check,
    difference,
    differences,
    finding,
    many_prompts,
    noise,
    report,
    tokenizer_facts,
    unmeasured,
    unpadded_difference,
)
from documents import CODE, DOCUMENTS, WRONG, a_survey, everywhere
from msgspec.structs import replace

from padcheck.core.exit_codes import ExitCode
from padcheck.core.settings import JudgeSettings
from padcheck.core.severity import Severity
from padcheck.judging.rules import find_rule
from padcheck.reporters import Format, View, render
from padcheck.reporters.text.visible import visible

RAW = "\x1b\x07\r\u202e\u200b"


class Page(HTMLParser):
    """Elements, attributes and texts."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.texts, self.open = [], [], []
        self.content = {"script": "", "style": "", "title": ""}
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in self.content:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open and self.open[-1] == tag:
            self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] in ("script", "style"):
            self.content[self.open[-1]] += data
        else:
            self.texts.append(data)

    @property
    def text(self):
        return "".join(self.texts)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def ids(self):
        return [attributes["id"] for _, attributes in self.elements if "id" in attributes]


def show(document):
    return Page(render(document, Format.HTML, View()))


every_document = pytest.mark.parametrize("document", DOCUMENTS.values(), ids=DOCUMENTS)


@every_document
def test_nothing_is_loaded_and_no_other_script_can_run(document):
    page = show(document)
    for _, attributes in page.elements:
        assert not {"src", "srcset", "style", "data", "action", "background"} & set(attributes)
        assert attributes.get("href", "#").startswith(("#", "data:,"))
        assert not [name for name in attributes if name.startswith("on")]
    [policy] = [meta["content"] for meta in page.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none';")
    for kind in ("script", "style"):
        assert len(page.all(kind)) == 1
        digest = base64.b64encode(hashlib.sha256(page.content[kind].encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert not re.search(r"url\(|@import|https?:", page.content["style"] + page.content["script"])


@every_document
def test_every_link_has_one_target(document):
    page = show(document)
    assert len(set(page.ids)) == len(page.ids)
    targets = {link["href"][1:] for link in page.all("a")} | {
        attributes["aria-labelledby"] for _, attributes in page.elements if "aria-labelledby" in attributes
    }
    assert targets <= set(page.ids)


@every_document
def test_a_page_declares_language_viewport_and_schemes(document):
    page = show(document)
    assert page.all("html") == [{"lang": "en"}]
    assert {"name": "color-scheme", "content": "light dark"} in page.all("meta")
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all("meta")


def test_the_verdict_comes_first_and_every_section_is_there():
    page = show(report(**WRONG))
    assert page.text.index("FAIL: left padding changes") < page.text.index("attention_mask")
    assert {"findings", "prompts", "masks", "differences", "run", "reproduce", "PAD201"} <= set(page.ids)
    for said in (
        "Why it matters",
        "How padcheck knows",
        "Difference from the unpadded run",
        "SomeForCausalLM",
        "padcheck compare some/model",
    ):
        assert said in page.text
    assert "some/model" in page.texts[0] + page.text[:200]


def test_a_healthy_report_has_advice_and_no_findings():
    page = show(report())
    assert "advice" in page.ids
    assert "findings" not in page.ids


def test_an_inspection_shows_what_the_tokenizer_padded():
    page = show(report("inspect-tokenizer"))
    assert page.text.count("padded on the left") == page.text.count("padded on the right") == 2
    assert "input_ids" in page.text
    assert not {"masks", "differences"} & set(page.ids)


def test_a_check_has_a_summary_that_links_to_each_model():
    page = show(DOCUMENTS["check"])
    assert [link["href"] for link in page.all("a")][:3] == ["#model-1", "#model-2", "#model-3"]
    assert {"model-1", "model-2", "model-3", "model-1-PAD201", "model-2-prompts"} <= set(page.ids)
    assert "There is no nope." in page.text
    assert "Name another." in page.text
    assert "gone/model: PAD201" in page.text


def test_a_bug_in_padcheck_is_shown_with_its_traceback():
    page = show(check(replace(unmeasured(exit_code=ExitCode.BUG), traceback=f"Traceback\n  {CODE}")))
    assert f"Traceback\n  {visible(CODE)}" in page.text


def test_a_survey_has_a_table_reasons_and_the_meaning_of_codes():
    page = show(a_survey())
    assert "6.5" in page.text
    assert "it needs timm" in page.text
    assert page.text.count("Why it matters") == 1
    assert "llama-PAD201" in page.ids


@pytest.mark.parametrize("text", [HOSTILE, CODE], ids=["characters", "code"])
def test_hostile_text_is_shown_as_text(text):
    shown, plain = show(everywhere(text)), show(everywhere("plain text"))
    assert [tag for tag, _ in shown.elements] == [tag for tag, _ in plain.elements]
    assert visible(text) in shown.text
    assert not set(RAW) & set(shown.text)
    assert shown.content == plain.content


@pytest.mark.parametrize("text", [HOSTILE, CODE], ids=["characters", "code"])
def test_hostile_text_in_a_check_and_a_survey_is_shown_as_text(text):
    def texts(text):
        yield check(unmeasured(text, what=text, meaning=text, change=text))
        found = replace(finding(find_rule("PAD201"), **WRONG), message=text, fix=text)
        yield a_survey(architecture=text, known_limit=text, details=(found,))

    for hostile, plain in zip(map(show, texts(text)), map(show, texts("plain")), strict=True):
        assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in plain.elements]
        assert visible(text) in hostile.text
        assert not set(RAW) & set(hostile.text)


def test_the_most_telling_prompt_comes_first_and_only_it_is_unfolded():
    changed = many_prompts(40)
    changed["differences"] |= {
        "right": (
            unpadded_difference(0.0),
            *(difference(0.5 * (index == 30), prompt_index=index) for index in range(1, 40)),
        )
    }
    page = show(report(**changed))
    prompts = [attributes for attributes in page.all("details") if "prompt" in attributes.get("class", "")]
    assert ["open" in each for each in prompts] == [True] + [False] * 39
    assert {"href": "#prompt-30"} in page.all("a")
    assert [number for number, each in enumerate(prompts) if "data-changed" in each] == [0]
    assert "changed by right padding" in page.text
    assert "36 more prompts" in page.text


def test_a_page_with_hundreds_of_prompts_stays_small():
    html = render(report(**many_prompts(512)), Format.HTML, View())
    assert len(html) < 2_000_000


def test_findings_with_the_same_fix_show_it_once():
    wrong = differences(right=(unpadded_difference(0.0), difference(0.5)))
    page = show(report(tokenizer=tokenizer_facts(padding_side="right"), differences=wrong))
    assert {"PAD106", "PAD202"} <= set(page.ids)
    assert page.text.count('tokenizer.padding_side = "left"  # before') == 1


def test_verdicts_and_labels_have_colours_and_tooltips():
    page = show(report(differences=differences(left=(unpadded_difference(0.0), difference(0.5)))))
    cells = {each["class"]: each["title"] for each in page.all("td") if each.get("class", "").startswith("status ")}
    assert cells == {
        "status fail": "Rounding does not explain the difference",
        "status pass": "Same tokens, same logits to the last bit",
    }
    labels = {each.get("title") for each in page.all("th") if each.get("scope") == "row"}
    assert "1 for a real token, 0 for a pad" in labels


def test_an_unknown_code_has_no_explanation():
    [shown] = report(**WRONG).findings[:1]
    of_another = replace(report(**WRONG), findings=(replace(shown, code="PAD999"),))
    assert "PAD999" in show(of_another).text


def test_findings_of_a_baseline_are_marked_and_named():
    known = report(settings=JudgeSettings(known={"PAD201": Severity.ERROR}), **WRONG)
    assert "error, known" in show(known).text
    assert "Accepted by a baseline, which the command does not read: PAD201" in show(known).text


def test_nan_is_drawn_and_named():
    page = show(report(differences=differences(left=(unpadded_difference(0.0), difference(0.1, None)))))
    assert "nan" in [attributes.get("class") for attributes in page.all("path")]
    assert "NaN" in page.text


def test_the_noise_floor_and_the_allowed_difference_are_drawn():
    page = show(report(noise=noise(rounding_errors=0.02), **WRONG))
    assert "rounding 0.02" in page.text
    assert "allowed 0.04" in page.text


def test_every_colour_can_be_read_in_both_schemes():
    style = show(report()).content["style"]
    pairs = dict(re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}, #[0-9a-f]{6})\)", style))
    schemes = [{name: pair.split(", ")[number] for name, pair in pairs.items()} for number in (0, 1)]
    for colours in schemes:
        for ink in ("ink", "dim", "new", "changed", "good", "doubt"):
            for ground in ("paper", "panel", f"{ink}-tint"):
                if ground in colours:
                    assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour):
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
