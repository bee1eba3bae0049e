import pytest
from builders import ask, finding
from tasks import raised, step_off, step_run, trained

from padcheck.core.severity import Severity
from padcheck.judging.rules.pad446_accumulation_averages_batches import AccumulationAveragesBatches

_REFUSED = raised("step_accumulated_tokens", "TypeError: forward() got an unexpected argument 'num_items_in_batch'")


@pytest.mark.parametrize(
    ("run", "what"), [(step_off("step_accumulated_tokens"), "ignores"), (_REFUSED, "takes no num_items_in_batch")]
)
def test_fires_if_the_argument_does_not_help(run: object, what: str) -> None:
    found = finding(AccumulationAveragesBatches(), **trained(step_accumulated_tokens=run))
    assert found.severity is Severity.WARNING
    assert what in found.message


def test_silent_if_it_helps() -> None:
    assert ask(AccumulationAveragesBatches(), **trained()) is None


def test_silent_if_averaging_changes_nothing() -> None:
    runs = {"step_accumulated": step_run("step_accumulated"), "step_accumulated_tokens": _REFUSED}
    assert ask(AccumulationAveragesBatches(), **trained(**runs)) is None


def test_silent_if_one_large_batch_is_wrong_too() -> None:
    wrong = {name: step_off(name) for name in ("step_right", "step_accumulated_tokens")}
    assert ask(AccumulationAveragesBatches(), **trained(**wrong)) is None
