import pytest
from builders import ask, finding, raised, report, runs, tokenizer_facts

from padcheck.core.run_results import RunResult
from padcheck.core.severity import Severity
from padcheck.judging.rules.pad902_arm_not_run import ArmNotRun

LEFT, RIGHT, SINGLE = raised("left", "ValueError: l"), raised("right", "ValueError: r"), raised(None, "ValueError: s")


@pytest.mark.parametrize(
    ("errors", "severity", "message"),
    [
        ({"right": RIGHT}, Severity.WARNING, "The run right raised: ValueError: r"),
        ({"left": LEFT}, Severity.ERROR, "The run left raised: ValueError: l"),
        ({"single": SINGLE}, Severity.ERROR, "The run single raised: ValueError: s"),
        ({"left": LEFT, "right": RIGHT}, Severity.ERROR, "The runs left and right raised: ValueError: l"),
    ],
)
def test_only_the_right_padded_batch_may_raise_without_an_error(
    errors: dict[str, RunResult], severity: Severity, message: str
) -> None:
    found = finding(ArmNotRun(), runs=runs(**errors))
    assert found.severity is severity
    assert found.message == message
    assert found.evidence == {"errors": {name: run.error for name, run in errors.items()}}
    assert ("padding_side" in found.fix) == (severity is Severity.WARNING)


def test_silent_if_every_run_ran() -> None:
    assert ask(ArmNotRun()) is None


def test_silent_if_no_run_was_asked_for() -> None:
    assert ask(ArmNotRun(), runs={}) is None


def test_skipped_if_a_pad_id_without_a_row_explains_it() -> None:
    broken = {"single": SINGLE, "left": LEFT, "right": RIGHT}
    found = report(runs=broken, differences={}, tokenizer=tokenizer_facts(pad_token_id=100, pad_token_used_id=100))
    assert "PAD104" in [finding.code for finding in found.findings]
    assert ("PAD902", "covered by PAD104") in [(skipped.code, skipped.reason) for skipped in found.skipped]
