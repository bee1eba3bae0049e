from collections.abc import Iterator

import pytest
from builders import (
    HOSTILE,
    VOCAB_SIZE,
    batch,
    difference,
    flip,
    gave,
    model_facts,
    no_padding,
    noise,
    probes,
    report,
    row,
    run_result,
    runs,
    samples,
    tokenizer_facts,
    unpadded_difference,
)
from markdown_it import MarkdownIt
from markdown_it.token import Token

from padcheck.core.report import Report
from padcheck.core.run_results import Sample
from padcheck.reporters import Format, View, render
from padcheck.reporters.text.visible import visible, visible_edges, visible_token

PARSER = MarkdownIt("commonmark").enable("table")
PLAIN = {"text", "code_inline", "strong_open", "strong_close", "softbreak"}
TEXTS = ("a|b", r"a\|b", "`", "``` x", "a`b``c", "<b>", "*_~[x](y)#", "&amp;", "\\", "a\nb", "- a", HOSTILE)
every_text = pytest.mark.parametrize("text", TEXTS, ids=lambda text: "hostile" if text is HOSTILE else None)


def _parse(shown: Report) -> list[Token]:
    return PARSER.parse(render(shown, Format.MARKDOWN, View()))


def _structure(tokens: list[Token]) -> list[str]:
    return [token.type for token in tokens]


def _rows(tokens: list[Token]) -> Iterator[list[str]]:
    """The cells of each row of each table, as a reader sees them."""
    cells: list[str] = []
    inside = False
    for token in tokens:
        inside = token.type in ("td_open", "th_open") or (inside and token.type == "inline")
        if token.type == "inline" and inside:
            cells.append(_seen(token))
        if token.type == "tr_close":
            yield cells
            cells = []


def _seen(inline: Token) -> str:
    return "".join(child.content for child in inline.children or ())


def _headings(tokens: list[Token]) -> list[str]:
    return [_seen(tokens[place + 1]) for place, token in enumerate(tokens) if token.type == "heading_open"]


def test_the_verdict_comes_first() -> None:
    tokens = _parse(report())
    assert _headings(tokens)[0] == "padcheck compare some/model"
    assert _seen(tokens[4]) == "PASS: left padding changes nothing"


def test_the_sections_come_in_order() -> None:
    assert _headings(_parse(report(model=model_facts(embedding_rows=128), load_warnings=("careful",))))[1:] == [
        "Findings",
        "Advice",
        "What was run",
        "Special tokens",
        "Prompt 0: three token prompt",
        "Prompt 1: one␣",
        "Warnings of the libraries",
    ]


def test_a_fix_is_a_block_of_code_to_paste() -> None:
    fences = [token for token in _parse(report(model=model_facts(embedding_rows=1))) if token.type == "fence"]
    assert (fences[0].info, fences[0].content) == ("python", "model.resize_token_embeddings(len(tokenizer))\n")


def test_advice_is_a_block_of_python_to_paste() -> None:
    shown = report()
    [block] = [token for token in _parse(shown) if token.type == "fence" and token.info == "python"]
    assert block.content.splitlines() == [f"{advice.line}  # {advice.task}" for advice in shown.advice]
    compile(block.content, "advice", "exec")
    assert "Advice" not in _headings(_parse(report(**no_padding())))


def test_probes_that_did_not_run_are_named_below_the_table() -> None:
    sentence = (
        "Nothing is in doubt, so these expensive probes did not run (--thorough runs them): shifted, more pad counts."
    )
    tokens = _parse(report(left_out=("shifted",)))
    [place] = [place for place, token in enumerate(tokens) if token.type == "inline" and _seen(token) == sentence]
    assert [token.type for token in tokens[place - 2 : place + 1]] == ["table_close", "paragraph_open", "inline"]
    assert "thorough" not in render(report(left_out=()), Format.MARKDOWN, View())


def test_what_rounding_does_is_a_table() -> None:
    rows = list(_rows(_parse(report(noise=noise(rounding_errors=0.02), **probes(left=0.03)))))
    start = rows.index(["rounding", ""])
    assert rows[start + 1 : start + 3] == [
        ["measured", "logits move by up to 0.02 in float32"],
        ["", "0.02 with rounding_errors"],
    ]
    assert ["left", "largest difference 0.03, rounding explains up to 0.04"] in rows


@every_text
def test_tokens_that_compete_are_shown_unchanged(text: str) -> None:
    shown = report(**gave(left=(unpadded_difference(0.0), difference(0.5, flip=flip(0, token=text)))))
    [reason] = [row[2] for row in _rows(_parse(shown)) if row[:2] == ["left", "different"]]
    assert reason.endswith(
        f"token 0: single chose ␣t20 (leads by 1e-06), left chose {visible_token(text)} (leads by 2e-06)"
    )


@every_text
def test_no_text_of_a_model_changes_the_structure(text: str) -> None:
    def write(text: str) -> list[Token]:
        hostile = tokenizer_facts(
            pad_token=text,
            bos_token=text,
            eos_token=text,
            pad_token_used=text,
            pad_token_used_reason=text,
            unk_token_id=0,
        )
        rows = tuple(
            row(index, num_pads=1, tokens=(text,) * 6, prompt_text=text, generated_text=text, new_text=text)
            for index in (0, 1)
        )
        return _parse(
            report(
                model=model_facts(id=text, architecture=text, embedding_rows=VOCAB_SIZE + 1),
                tokenizer=hostile,
                generation_config={"suffix": text},
                overridden={"suffix": text},
                prompts=(text, text),
                runs=runs(left=run_result("left", rows=rows, warnings=(text,))),
            )
        )

    tokens = write(text)
    assert _structure(tokens) == _structure(write("plain"))
    assert {child.type for token in tokens for child in token.children or ()} <= PLAIN


@every_text
def test_no_text_of_a_tokenizer_changes_the_structure(text: str) -> None:
    def write(text: str) -> list[Token]:
        rows = tuple(row(index, new=(), tokens=(text,) * 3) for index in (0, 1))
        return _parse(report("inspect-tokenizer", samples=samples(left=Sample(error=text), right=Sample(rows=rows))))

    assert _structure(write(text)) == _structure(write("plain"))


@every_text
def test_a_cell_of_a_table_shows_its_text_unchanged(text: str) -> None:
    cells = [row[1] for row in _rows(_parse(report(load_warnings=(text,)))) if row[0] == "loading"]
    assert cells == [visible(text)]


@every_text
def test_code_in_a_table_shows_its_text_unchanged(text: str) -> None:
    rows = tuple(row(index, generated_text=text) for index in (0, 1))
    cells = [
        row[1] for row in _rows(_parse(report(runs=runs(single=run_result(None, rows=rows))))) if row[0] == "single"
    ]
    assert cells == [visible_edges(text)] * 2


@every_text
def test_a_heading_shows_the_prompt_unchanged(text: str) -> None:
    assert f"Prompt 0: {visible_edges(text)}" in _headings(_parse(report(prompts=(text, "one "))))


def test_an_empty_answer_is_an_empty_cell() -> None:
    rows = tuple(row(index, generated_text="") for index in (0, 1))
    cells = [
        row[1] for row in _rows(_parse(report(runs=runs(single=run_result(None, rows=rows))))) if row[0] == "single"
    ]
    assert "`" not in "".join(cells)


def test_the_columns_are_a_block_that_keeps_its_alignment() -> None:
    blocks = [token.content for token in _parse(report()) if token.type == "fence" and token.info == "text"]
    assert blocks[0].splitlines() == [
        "single, left, right",
        "token           ␣t10 ␣t11 ␣t12 │ ␣t20 ␣t21",
        "attention_mask     1    1    1 │    1    1",
        "position_ids       0    1    2 │    3    -",
        "from the mask      0    1    2 │    3    4",
    ]


def test_an_inspection_shows_what_the_tokenizer_padded() -> None:
    tokens = _parse(report("inspect-tokenizer"))
    assert {"The prompts padded on the left", "The prompts padded on the right"} <= set(_headings(tokens))
    ids = [token.content.splitlines()[0] for token in tokens if token.type == "fence"]
    assert ids == [str(list(row.input_ids)) for side in ("left", "right") for row in batch(side, new=())]


def test_the_answer_is_shown_and_the_rest_is_folded() -> None:
    text = render(report(model=model_facts(embedding_rows=128)), Format.MARKDOWN, View())
    answer, *folded = text.split("<details>")
    assert "## Findings" in answer
    assert "## Advice" in answer
    assert "## What was run" not in answer
    assert [part.splitlines()[0] for part in folded] == [
        "<summary>Probes and rounding</summary>",
        "<summary>What was run, and the prompts column by column</summary>",
    ]
    assert all(part.strip().endswith("</details>") or "</details>\n\n" in part for part in folded)


def test_an_inspection_has_no_probes_to_fold() -> None:
    assert "Probes and rounding" not in render(report("inspect-tokenizer"), Format.MARKDOWN, View())
