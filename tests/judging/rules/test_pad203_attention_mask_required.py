import pytest
from builders import ask, finding, probes, report, special_token_ids, token_ids, tokenizer_facts, without

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad203_attention_mask_required import AttentionMaskRequired

CHANGED = probes(left_no_mask=0.5)


def test_fires_if_a_padded_row_changes_without_the_mask() -> None:
    found = finding(AttentionMaskRequired(), **CHANGED)
    assert found.severity is Severity.INFO
    assert "1 of 2 prompts change" in found.message
    assert found.evidence["mask_can_be_inferred"]


def test_says_that_the_mask_cannot_be_rebuilt_if_pad_is_an_eos() -> None:
    eos = special_token_ids().generation_config.eos[0]
    found = finding(AttentionMaskRequired(), tokenizer=tokenizer_facts(pad_token_used_id=eos), **CHANGED)
    assert "cannot rebuild the mask" in found.message
    assert not found.evidence["mask_can_be_inferred"]


def test_silent_if_the_mask_is_not_needed() -> None:
    assert ask(AttentionMaskRequired(), **probes(left_no_mask=1e-6)) is None


def test_skipped_if_the_probe_did_not_run() -> None:
    assert isinstance(ask(AttentionMaskRequired(), **without("left_no_mask")), Skipped)


@pytest.mark.parametrize(
    ("other", "covering"),
    [({"batched": 0.5}, "PAD206"), ({"left": 0.5, "left_alone": 0.5, "left_forward_no_mask": 0.0}, "PAD304")],
)
def test_skipped_if_another_finding_covers_it(other: dict[str, float], covering: str) -> None:
    found = report(**probes(left_no_mask=0.5, **other))
    assert covering in [finding.code for finding in found.findings]
    assert ("PAD203", f"covered by {covering}") in [(rule.code, rule.reason) for rule in found.skipped]


def test_says_if_generation_config_names_no_pad_token() -> None:
    ids = special_token_ids(generation_config=token_ids(pad=None))
    found = finding(AttentionMaskRequired(), special_token_ids=ids, **probes(left_no_mask=0.5))
    assert found.message.endswith("generation_config names no pad token, so generate() cannot rebuild the mask.")
    assert found.evidence["mask_can_be_inferred"] is False
