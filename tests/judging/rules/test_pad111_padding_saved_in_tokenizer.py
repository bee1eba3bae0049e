import pytest
from builders import ask, finding, tokenizer_facts

from padcheck.core.severity import Severity
from padcheck.judging.rules.pad111_padding_saved_in_tokenizer import PaddingSavedInTokenizer


@pytest.mark.parametrize(
    ("saved", "blocks", "words"),
    [
        ({"saved_padding": True}, ["padding"], "a padding block"),
        ({"saved_truncation": True}, ["truncation"], "a truncation block"),
        (
            {"saved_padding": True, "saved_truncation": True},
            ["padding", "truncation"],
            "a padding and a truncation block",
        ),
    ],
)
def test_fires_on_a_saved_block_and_removes_just_that(saved: dict[str, bool], blocks: list[str], words: str) -> None:
    found = finding(PaddingSavedInTokenizer(), tokenizer=tokenizer_facts(**saved))
    assert found.severity is Severity.INFO
    assert f"contains {words}," in found.message
    assert found.evidence == {"blocks": blocks}
    assert [block for block in ("padding", "truncation") if f"no_{block}()" in found.fix] == blocks
    assert found.fix.endswith("tokenizer.save_pretrained(folder)")


def test_silent_on_a_slow_tokenizer_which_saves_none() -> None:
    assert ask(PaddingSavedInTokenizer(), tokenizer=tokenizer_facts(is_fast=False)) is None
