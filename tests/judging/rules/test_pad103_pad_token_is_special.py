import pytest
from builders import ask, finding, report, special_token_ids, token_ids, tokenizer_facts

from padcheck.core.facts import PadTokenSuggestion
from padcheck.core.severity import Severity
from padcheck.judging.rules.pad103_pad_token_is_special import PadTokenIsSpecial


@pytest.mark.parametrize(
    ("changes", "kinds", "words"),
    [
        ({"bos_token_id": 0}, ["bos"], "(0) is also the bos token"),
        ({"unk_token_id": 0}, ["unk"], "(0) is also the unk token"),
        ({"bos_token_id": 0, "unk_token_id": 0}, ["bos", "unk"], "(0) is also the bos and the unk token"),
    ],
)
def test_fires_if_pad_is_bos_or_unk(changes: dict[str, int], kinds: list[str], words: str) -> None:
    found = finding(PadTokenIsSpecial(), tokenizer=tokenizer_facts(**changes))
    assert found.severity is Severity.INFO
    assert words in found.message
    assert found.evidence == {"pad_token_id": 0, "equals": kinds}
    assert "attention_mask" in found.fix


def test_the_fix_sets_a_better_pad_token_if_there_is_one() -> None:
    suggestion = PadTokenSuggestion(token="[PAD]", token_id=9, reason="by name")
    found = finding(PadTokenIsSpecial(), tokenizer=tokenizer_facts(bos_token_id=0, pad_token_suggestion=suggestion))
    assert found.fix.splitlines()[0] == "tokenizer.pad_token = '[PAD]'  # id 9"


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"bos_token_id": None, "unk_token_id": None},
        {"pad_token": None, "pad_token_id": None, "bos_token_id": None, "unk_token_id": None},
    ],
    ids=["three ids", "pad alone", "no ids"],
)
def test_silent_if_pad_is_a_token_of_its_own(changes: dict[str, None]) -> None:
    assert ask(PadTokenIsSpecial(), tokenizer=tokenizer_facts(**changes)) is None


def test_skipped_if_pad_is_eos_as_well() -> None:
    found = report(
        tokenizer=tokenizer_facts(bos_token_id=0, eos_token_id=0),
        special_token_ids=special_token_ids(tokenizer=token_ids(bos=0, eos=(0,))),
    )
    assert "PAD102" in [finding.code for finding in found.findings]
    assert ("PAD103", "covered by PAD102") in [(skipped.code, skipped.reason) for skipped in found.skipped]
