import pytest
from builders import ask, finding, model_facts

from padcheck.core.severity import Severity
from padcheck.judging.rules.pad112_length_limit import LengthLimit


@pytest.mark.parametrize(
    ("position_encoding", "severity"),
    [("learned", Severity.ERROR), ("rotary", Severity.WARNING), ("unknown", Severity.WARNING)],
)
def test_past_the_positions_learned_ones_crash_and_others_get_worse(position_encoding: str, severity: Severity) -> None:
    model = model_facts(position_encoding=position_encoding, max_position_embeddings=12)
    found = finding(LengthLimit(), model=model, max_new_tokens=10)
    assert found.severity is severity
    assert "3 columns, and 13 with 10 new tokens. The model has 12 positions." in found.message
    assert found.evidence == {"width": 3, "max_new_tokens": 10, "max_position_embeddings": 12}
    assert found.fix == "inputs = tokenizer(texts, padding=True, truncation=True, max_length=2)"


def test_the_fix_leaves_a_prompt_of_one_token_if_nothing_else_fits() -> None:
    assert finding(LengthLimit(), model=model_facts(max_position_embeddings=4), max_new_tokens=10).fix.endswith(
        "max_length=1)"
    )


def test_a_max_length_that_counts_pads_is_an_info() -> None:
    found = finding(LengthLimit(), generation_config={"max_length": 50})
    assert found.severity is Severity.INFO
    assert "max_length 50" in found.message
    assert found.evidence == {"max_length": 50}
    assert "max_new_tokens" in found.fix


@pytest.mark.parametrize(
    "changes",
    [
        {"model": model_facts(position_encoding="learned", max_position_embeddings=5), "max_new_tokens": 2},
        {"model": model_facts(max_position_embeddings=None), "max_new_tokens": 10**6},
        {"generation_config": {"max_length": 50, "max_new_tokens": 10}},
    ],
    ids=["just fits", "no limit", "max_new_tokens comes first"],
)
def test_silent_if_nothing_is_cut_off(changes: dict[str, object]) -> None:
    assert ask(LengthLimit(), **changes) is None
