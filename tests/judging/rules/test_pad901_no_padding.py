import pytest
from builders import ask, finding, no_padding, raised, runs

from padcheck.core.run_results import RunResult
from padcheck.core.severity import Severity
from padcheck.judging.rules.pad901_no_padding import NoPadding


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"prompts": ("one",), "num_prompt_tokens": (3,)}, "There is one prompt,"),
        ({"num_prompt_tokens": (3, 3)}, "All prompts have 3 tokens,"),
        ({"num_prompt_tokens": (3, 4)}, "Every batch has prompts of one length,"),
    ],
)
def test_fires_if_no_row_has_a_pad_and_says_why(changes: dict[str, tuple[object, ...]], what: str) -> None:
    found = finding(NoPadding(), **no_padding() | changes)
    assert found.severity is Severity.WARNING
    assert found.message == f"{what} so no row was padded and nothing was measured."
    assert found.evidence == {"num_prompt_tokens": list(changes["num_prompt_tokens"])}
    assert found.fix.count("--prompt ") == 2


def test_silent_if_one_row_of_one_run_has_pads() -> None:
    assert ask(NoPadding()) is None


@pytest.mark.parametrize(
    "changes",
    [{}, {"single": raised(None), "left": raised("left")}, runs(left=raised("left"), right=raised("right"))],
    ids=["no run", "all raised", "the padded runs raised"],
)
def test_silent_if_no_batch_ran(changes: dict[str, RunResult]) -> None:
    assert ask(NoPadding(), runs=changes) is None
