from builders import ask, finding, probes, report, without
from msgspec.structs import replace

from padcheck.core.settings import JudgeSettings
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.judge import judge
from padcheck.judging.rules.pad406_packed_rows_leak import PackedRowsLeak


def test_fires_if_a_prompt_gets_other_logits_in_a_packed_row() -> None:
    found = finding(PackedRowsLeak(), **probes(packed=0.5))
    assert found.severity is Severity.WARNING
    assert "change the logits of 1 of 2 prompts: largest difference 0.5 (prompt 1)" in found.message


def test_silent_within_rounding() -> None:
    assert ask(PackedRowsLeak(), **probes(packed=1e-6)) is None


def test_nan_is_not_a_leak() -> None:
    assert ask(PackedRowsLeak(), **probes(packed=None)) is None


def test_not_asked_without_the_run() -> None:
    skipped = ask(PackedRowsLeak(), **without("packed"))
    assert skipped == Skipped(code="PAD406", reason="only --task train runs prompts in one row", kind="not_asked")


def test_undecided_if_transformers_cannot_keep_prompts_apart() -> None:
    changes = probes(packed=0.0)
    reason = "transformers 4.48.3 keeps packed prompts apart only with flash attention"
    changes["runs"]["packed"] = replace(changes["runs"]["packed"], rows=(), error=reason)
    skipped = ask(PackedRowsLeak(), **changes)
    assert skipped == Skipped(code="PAD406", reason=f"undecided: the run packed raised: {reason}")


def test_skipped_if_the_batch_explains_it() -> None:
    found = report(**probes(packed=0.5, forward_again=0.5))
    assert [finding.code for finding in found.findings] == ["PAD206"]
    assert ("PAD406", "covered by PAD206") in [(rule.code, rule.reason) for rule in found.skipped]


def test_says_nothing_about_scoring() -> None:
    scored = judge("compare", report(**probes(packed=0.5)).evidence, JudgeSettings(task="score"))
    assert scored.findings == ()
