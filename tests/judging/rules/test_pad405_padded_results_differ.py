from builders import ask, finding, model_facts, report, tokenizer_facts
from tasks import classified, in_half, off, task_run

from padcheck.core.settings import JudgeSettings
from padcheck.core.severity import Severity
from padcheck.core.verdicts import Skipped
from padcheck.judging.rules.pad405_padded_results_differ import PaddedResultsDiffer

RIGHT = {"tokenizer": tokenizer_facts(padding_side="right")}


def test_an_error_on_the_side_that_the_tokenizer_pads_on() -> None:
    found = finding(PaddedResultsDiffer(), **classified(left=off("left")))
    assert found.severity is Severity.ERROR
    assert found.message.startswith("Left padding changes the class logits of 1 of 2 texts: largest difference 0.5")
    assert found.fix.startswith('tokenizer.padding_side = "right"')


def test_a_warning_on_the_other_side() -> None:
    assert finding(PaddedResultsDiffer(), **classified(left=off("left")), **RIGHT).severity is Severity.WARNING


def test_names_the_texts_whose_class_changes() -> None:
    found = finding(PaddedResultsDiffer(), **classified(left=off("left", outcome="BAD")))
    assert "The outcome changes for text 1 from GOOD to BAD." in found.message


def test_if_both_sides_are_wrong_there_is_no_side_to_change_to() -> None:
    wrong = {name: off(name) for name in ("left", "right", "left_positions")}
    found = finding(PaddedResultsDiffer(), **classified(**wrong))
    assert "Right padding changes them too." in found.message
    assert found.fix.startswith("# batch prompts of equal length")


def test_nan_counts() -> None:
    found = finding(PaddedResultsDiffer(), **classified(left=off("left", None)))
    assert "largest difference NaN" in found.message


def test_in_16_bit_what_only_float32_shows_counts() -> None:
    half = {"model": model_facts(dtype="bfloat16")}
    found = finding(
        PaddedResultsDiffer(), **in_half(left=off("left", 0.1), left_float32=off("left_float32", 0.1)), **half
    )
    assert "which rounding hides in bfloat16" in found.message
    assert ask(PaddedResultsDiffer(), **in_half(left=off("left", 0.1)), **half) is None


def test_silent_if_nothing_differs() -> None:
    assert ask(PaddedResultsDiffer(), **classified()) is None


def test_skipped_if_no_task_ran() -> None:
    outcome = ask(PaddedResultsDiffer())
    assert outcome == Skipped(
        code="PAD405", reason="only --task score or train or classify or embed measures this", kind="not_asked"
    )


def test_skipped_if_the_texts_alone_did_not_run() -> None:
    outcome = ask(PaddedResultsDiffer(), **classified(alone=task_run("alone", rows=(), error="ValueError: no")))
    assert isinstance(outcome, Skipped)
    assert outcome.reason == "undecided: the texts alone did not run"


def test_undecided_if_the_task_had_nothing_to_run() -> None:
    skipped = report(settings=JudgeSettings(task="score")).skipped
    assert Skipped(code="PAD405", reason="undecided: --task score had nothing to run") in skipped
