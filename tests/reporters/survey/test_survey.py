"""A survey in every format: what was judged, what was not and why, and hostile text."""

import msgspec
import pytest
from builders import HOSTILE
from msgspec.structs import replace
from rich.cells import cell_len
from surveys import MIXED, a_survey, architecture, finding, not_judged, with_variants

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Verdict
from padcheck.reporters import Format, View, render
from padcheck.running.survey import compose_architecture


def line(text, model_type):
    return next(line for line in text.splitlines() if line.startswith((model_type, f"| {model_type}")))


def test_the_table_gives_the_largest_differences_and_the_findings():
    text = render(MIXED, Format.TABLE, View(width=100))
    assert line(text, "llama").split() == ["llama", "rotary", "ok", "6.5", "ok", "not", "run", "ok", "same"]
    assert line(text, "gpt_odd").split()[2:] == ["6.5", "6.5", "ok", "not", "run", "ok", "same", "PAD201"]
    assert line(text, "nan ").split()[2] == "NaN"
    assert "nan: its blocks are anchored" in text
    assert "gemma3n  it needs timm" in text
    assert "generate left   1 ok, 2 wrong" in text
    assert "no mask         3 same" in text
    assert "gives pads position 0" in text
    assert text.rstrip().endswith("FAIL: 3 of 4 judged, 1 of them right with left padding in generate()")


def test_a_known_limit_that_is_not_seen_is_marked():
    text = render(a_survey(architecture(known_limit="its blocks are anchored")), Format.TABLE, View(width=100))
    assert "llama (not seen here): its blocks are anchored" in text


def test_messages_and_fixes_need_verbose():
    assert "About PAD201" not in render(MIXED, Format.TABLE, View(width=100))
    verbose = render(MIXED, Format.TABLE, View(width=100, verbose=True))
    assert "About PAD201." in verbose
    assert "# fix it" in verbose


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_the_screen(width):
    text = render(MIXED, Format.TABLE, View(width=width))
    assert max(cell_len(line) for line in text.splitlines()) <= width


def test_markdown_has_a_row_for_each():
    text = render(MIXED, Format.MARKDOWN, View())
    assert line(text, "llama") == "| llama | llamaForCausalLM | rotary | ok | 6.5 | ok | not run | ok | same |  |"
    assert "| gemma3n | it needs timm |" in text
    assert text.startswith("# padcheck survey\n\n**FAIL: 3 of 4 judged")


def test_a_survey_in_which_nothing_was_judged_says_so():
    nothing = a_survey(not_judged("gemma3n", "it needs timm"), status="not_measured")
    for fmt in (Format.TABLE, Format.MARKDOWN):
        assert "NOT ALL MEASURED: 0 of 1 judged" in render(nothing, fmt, View(width=100))


@pytest.mark.parametrize("fmt", Format)
def test_a_hostile_reason_is_shown_as_text(fmt):
    text = render(a_survey(not_judged("gemma3n", HOSTILE)), fmt, View(width=100))
    assert "\x1b[31m" not in text.replace("\\u001b", "")
    assert "</svg><script>" not in text


def test_if_rounding_is_as_large_as_a_fault_nothing_is_right():
    blind = architecture("doge", known_limit="ties", max_abs_diffs={"left_generate": 2.03}, allowed=4.06)
    shown = render(a_survey(blind, architecture()), Format.TABLE, View(width=120))
    assert " 2?" in shown
    assert "generate left   1 ok, 1 unclear" in shown
    assert "1 of them right with left padding" in shown
    assert "not seen here" not in shown


VARIED = a_survey(architecture("llama"), with_variants("phi3"))


def test_the_table_has_a_line_for_each_variant_below_its_model_type():
    text = render(VARIED, Format.TABLE, View(width=100))
    assert line(text, "phi3").split()[2] == "ok"
    assert line(text, "  +longrope").split()[2:4] == ["6.5", "6.5"]
    assert "phi3+odd  it needs einops" in text
    assert "generate left   1 ok, 1 wrong" in text
    assert "what checkpoints of the model type above set" in text
    assert "2 of 2 judged, 1 of them right in every variant with left padding" in text


def test_markdown_names_a_variant_in_full():
    text = render(VARIED, Format.MARKDOWN, View())
    assert line(text, "phi3+longrope").startswith("| phi3+longrope | phi3ForCausalLM | rotary | 6.5 | 6.5 |")


def test_without_variants_none_are_explained():
    assert "in every variant" not in render(MIXED, Format.TABLE, View(width=100))
    assert "+name" not in render(MIXED, Format.MARKDOWN, View())


@pytest.mark.parametrize("fmt", [Format.HTML, Format.JUNIT, Format.JSON])
def test_other_formats_name_the_variant(fmt):
    text = render(VARIED, fmt, View())
    assert ('"variant":"longrope"' if fmt is Format.JSON else "phi3+longrope") in text


def test_a_model_type_is_as_bad_as_its_worst_variant():
    found = with_variants("phi3")
    default, wrong, odd = found.variants
    assert found.verdicts["left_generate"] is wrong.verdicts["left_generate"]
    assert found.max_abs_diffs["left_generate"] == 6.54
    assert found.verdicts["right_score"] is default.verdicts["right_score"]
    assert (found.status, found.exit_code) == ("judged", odd.exit_code)
    assert found.findings == ("PAD201",)
    assert found.details[0].evidence == {"variant": "longrope"}
    assert found.seconds == default.seconds + wrong.seconds + odd.seconds
    assert found.variant is None


def test_of_two_findings_with_a_code_the_more_severe_one_counts():
    mild = architecture("phi3", Verdict.EQUIVALENT, finding("PAD208", Severity.WARNING))
    severe = architecture("phi3", Verdict.DIFFERENT, finding("PAD208"), variant="longrope")
    for variants in ([mild, severe], [msgspec.structs.replace(severe, variant=None), mild]):
        [kept] = compose_architecture(variants).details
        assert kept.severity is Severity.ERROR


def test_a_run_that_did_not_happen_is_not_covered_by_one_that_is_right():
    missing = architecture("phi3", Verdict.NOT_RUN, variant="longrope")
    assert compose_architecture([architecture("phi3"), missing]).verdicts["left_generate"] is Verdict.NOT_RUN


def in_modes(model_type, *findings, **far):
    """An architecture with these differences of the runs of modes; None stands for a run that did not happen."""
    built = architecture(model_type, Verdict.EQUIVALENT, *findings)
    verdicts = {
        run: Verdict.NOT_RUN if each is None else Verdict.DIFFERENT if each else Verdict.IDENTICAL
        for run, each in far.items()
    }
    return replace(built, verdicts=built.verdicts | verdicts, max_abs_diffs=built.max_abs_diffs | far)


OF_MODES = a_survey(
    in_modes("right", static_cache=0.0, left_static_cache=0.0, uncached=0.0, left_uncached=0.0),
    in_modes("wrong", finding("PAD210"), static_cache=0.0, left_static_cache=1.5, uncached=0.0, left_uncached=0.0),
    in_modes("alone", finding("PAD209"), static_cache=3.7, left_static_cache=3.7, uncached=0.0, left_uncached=0.0),
    in_modes("hidden", finding("PAD209"), static_cache=3.7, left_static_cache=0.0, uncached=0.0, left_uncached=0.0),
    in_modes("refused", static_cache=None, left_static_cache=None, uncached=0.0, left_uncached=0.0),
    with_modes=["static-cache", "no-cache"],
)


def test_each_mode_has_a_column_which_says_if_a_prompt_alone_is_wrong_already():
    text = render(OF_MODES, Format.MARKDOWN, View())
    cells = {model: line(text, model).split(" | ")[-3:] for model in ("right", "wrong", "alone", "hidden", "refused")}
    assert cells == {
        "right": ["ok", "ok", " |"],
        "wrong": ["1.5", "ok", " |"],
        "alone": ["alone 3.7", "ok", " |"],
        "hidden": ["alone 3.7", "ok", " |"],
        "refused": ["not run", "ok", " |"],
    }
    assert "| no mask | static-cache | no-cache | findings |" in text
    assert "| static-cache | 1 ok, 3 wrong, 1 not run |" in text
    assert "| no-cache | 5 ok |" in text
    assert "with\\_modes static-cache,no-cache" in text


def test_every_format_shows_the_columns_of_modes():
    assert "alone 3.7" in render(OF_MODES, Format.TABLE, View(width=100))
    assert "static-cache" in render(OF_MODES, Format.HTML, View())
    assert "--with static-cache,no-cache" in render(OF_MODES, Format.HTML, View())
    assert "static-cache" not in render(MIXED, Format.HTML, View())


def test_a_task_has_two_columns_and_a_model_type_without_its_class_a_dash():
    ok = architecture("llama")
    heads = {"classify_left": Verdict.DIFFERENT, "classify_right": Verdict.IDENTICAL}
    bert = architecture("bert", Verdict.EQUIVALENT, finding("PAD405"), finding("PAD412"))
    far = {"classify_left": 7.5, "classify_right": 0.0}
    bert = replace(bert, verdicts=bert.verdicts | heads, max_abs_diffs=bert.max_abs_diffs | far)
    found = a_survey(ok, bert, tasks=["classify"])
    text = render(found, Format.TABLE, View(width=120))
    assert line(text, "llama").split()[-2:] == ["-", "-"]
    assert line(text, "bert").split()[-3:] == ["7.5", "ok", "PAD412"]
    assert "classify left   1 wrong, 1 no class" in text
    assert "has no class of this model type for the task" in text
    assert line(render(found, Format.MARKDOWN, View()), "bert").endswith("| 7.5 | ok | PAD412 |")
    assert "classify" not in render(MIXED, Format.TABLE, View(width=120))
