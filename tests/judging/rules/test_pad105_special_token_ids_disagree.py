import pytest
from builders import ask, finding, special_token_ids, token_ids

from padcheck.core.facts import TokenIds
from padcheck.core.severity import Severity
from padcheck.judging.rules.pad105_special_token_ids_disagree import SpecialTokenIdsDisagree


@pytest.mark.parametrize(
    ("changes", "says", "fix"),
    [
        (
            {"config": token_ids(pad=5)},
            "pad is 0 in tokenizer, 5 in config",
            "model.config.pad_token_id = tokenizer.pad_token_id",
        ),
        (
            {"generation_config": token_ids(pad=5)},
            "pad is 0 in tokenizer, 5 in generation_config",
            "model.generation_config.pad_token_id = tokenizer.pad_token_id",
        ),
        (
            {"tokenizer": token_ids(pad=None), "config": token_ids(pad=None)},
            "pad is None in tokenizer, 0 in generation_config",
            "tokenizer.pad_token = '<pad>'",
        ),
        (
            {"tokenizer": token_ids(pad=None), "generation_config": token_ids(pad=5)},
            "pad is None in tokenizer, 5 in generation_config",
            "tokenizer.pad_token = '<pad>'\nmodel.generation_config.pad_token_id = tokenizer.pad_token_id",
        ),
        (
            {"generation_config": token_ids(eos=(7, 8))},
            "generate() stops at [7, 8] and not at the tokenizer's eos 2",
            "model.generation_config.eos_token_id = [7, 8, 2]",
        ),
        (
            {"config": token_ids(eos=(7,)), "generation_config": token_ids(eos=None)},
            "generate() stops at [7] and not at the tokenizer's eos 2",
            "model.generation_config.eos_token_id = [7, 2]",
        ),
    ],
    ids=[
        "pad of config",
        "pad of generation_config",
        "no pad token",
        "no pad token and another id",
        "eos",
        "eos of config",
    ],
)
def test_a_disagreement_about_pad_or_eos_is_a_warning(changes: dict[str, TokenIds], says: str, fix: str) -> None:
    found = finding(SpecialTokenIdsDisagree(), special_token_ids=special_token_ids(**changes))
    assert found.severity is Severity.WARNING
    assert found.message == f"The special tokens disagree: {says}."
    assert found.evidence == {"disagreements": [says]}
    assert found.fix == fix


def test_a_disagreement_about_bos_alone_is_an_info() -> None:
    found = finding(SpecialTokenIdsDisagree(), special_token_ids=special_token_ids(config=token_ids(bos=9)))
    assert found.severity is Severity.INFO
    assert "bos is 1 in tokenizer, 9 in config" in found.message
    assert found.fix == "model.config.bos_token_id = tokenizer.bos_token_id"


def test_all_disagreements_are_one_finding_with_a_line_each() -> None:
    other = token_ids(pad=5, bos=9)
    ids = special_token_ids(config=other, generation_config=other)
    found = finding(SpecialTokenIdsDisagree(), special_token_ids=ids)
    assert found.severity is Severity.WARNING
    assert len(found.evidence["disagreements"]) == len(found.fix.splitlines()) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"generation_config": token_ids(eos=(7, 2))},
        {"config": TokenIds(), "generation_config": TokenIds()},
        {"tokenizer": token_ids(pad=None), "generation_config": token_ids(pad=None)},
        {"tokenizer": token_ids(bos=None)},
        {"tokenizer": token_ids(eos=None)},
        {"config": token_ids(eos=(7,))},
    ],
    ids=[
        "eos among several",
        "places that name nothing",
        "pad in config alone",
        "no bos",
        "no eos",
        "generate() does not read config's eos",
    ],
)
def test_silent_if_it_makes_no_difference(changes: dict[str, TokenIds]) -> None:
    assert ask(SpecialTokenIdsDisagree(), special_token_ids=special_token_ids(**changes)) is None
