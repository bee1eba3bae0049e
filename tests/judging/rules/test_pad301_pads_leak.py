import pytest
from builders import ask, finding, gave, probes, rows_of, without

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad301_pads_leak import PadsLeak


def test_fires_if_the_ids_under_the_mask_change_a_row() -> None:
    found = finding(PadsLeak(), **probes(scrambled=0.5))
    assert found.severity is Severity.ERROR
    assert "change 1 of 2 prompts: largest difference 0.5 (prompt 1), rounding explains up to 0.0002" in found.message
    assert found.evidence == {
        "prompts": [1],
        "max_abs_diff": 0.5,
        "allowed": pytest.approx(2e-4),
        "right_with_attention": None,
    }
    assert found.fix.startswith("# in the model's code:\n# mask the pads")


def test_names_the_attention_implementation_in_which_they_do_not() -> None:
    found = finding(PadsLeak(), **probes(left=0.5, scrambled=0.5, left_other_attention=0.0))
    assert found.message.endswith("With eager attention they do not.")
    assert found.evidence["right_with_attention"] == "eager"
    assert 'attn_implementation="eager"' in found.fix


def test_the_numbers_are_those_of_the_first_token() -> None:
    found = finding(PadsLeak(), **gave(scrambled=rows_of("scrambled", 0.5, 0.9)))
    assert found.evidence["max_abs_diff"] == 0.5


@pytest.mark.parametrize(
    "rows",
    [rows_of("scrambled", 1e-6, 0.5), rows_of("scrambled", None)],
    ids=["a later token (PAD303)", "NaN (PAD204)"],
)
def test_silent_if_the_first_token_is_not_off(rows: tuple[object, ...]) -> None:
    assert ask(PadsLeak(), **gave(scrambled=rows)) is None


def test_silent_if_they_change_nothing() -> None:
    assert ask(PadsLeak(), **probes(scrambled=0.0)) is None


def test_skipped_if_the_probe_did_not_run() -> None:
    assert isinstance(ask(PadsLeak(), **without("scrambled")), Skipped)
