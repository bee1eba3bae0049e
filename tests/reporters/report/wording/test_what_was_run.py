"""The header, the special tokens, the tokenizer settings and the warnings."""

import pytest
from builders import evidence, model_facts, report, run_result, runs, tokenizer_facts
from msgspec.structs import replace

from padcheck.core.facts import LengthLimit, PadTokenSuggestion, SpecialTokenIds, TokenIds
from padcheck.reporters.report.wording import what_was_run
from padcheck.reporters.text.visible import made_visible


def test_the_header_names_what_was_run() -> None:
    assert what_was_run.header(report()) == [
        ("model", "some/model, revision 0123456789ab"),
        ("architecture", "SomeForCausalLM (some), 1.23M parameters, pretrained weights"),
        ("position encoding", "rotary, 64 positions"),
        ("settings", "float32 on cpu, sdpa attention, 2 new tokens, greedy"),
        ("versions", "padcheck 0.0, transformers 4.48, tokenizers 0.21, torch 2.4, Python 3.10"),
        (
            "this transformers",
            ", ".join(
                (
                    "gives pads position 1",
                    "counts the positions of new tokens in a right-padded row from its mask",
                    "does not warn about right padding",
                )
            ),
        ),
    ]


def test_the_behaviour_of_this_transformers_is_described_if_the_runs_show_it() -> None:
    assert what_was_run.library_behaviour({}) == ""
    assert what_was_run.library_behaviour({"new_position_ids": "last column", "warns_of_missing_mask": "yes"}) == (
        "counts the positions of new tokens in a right-padded row from its last column, warns about a missing mask"
    )


def test_the_header_of_an_inspection_leaves_out_everything_that_needs_weights() -> None:
    assert [label for label, _ in what_was_run.header(report("inspect-tokenizer"))] == [
        "model",
        "architecture",
        "position encoding",
        "versions",
    ]


@pytest.mark.parametrize(
    ("num_parameters", "count"),
    [(0, "0"), (999, "999"), (1_000, "1K"), (124_439_808, "124M"), (6_738_415_616, "6.74B"), (999_999, "1M")],
)
def test_parameters_are_counted_in_three_digits(num_parameters: int, count: str) -> None:
    header = dict(what_was_run.header(report(model=model_facts(num_parameters=num_parameters))))
    assert f" {count} parameters" in header["architecture"]


def test_special_tokens_show_ids_and_the_tokenizers_own_spelling() -> None:
    found = evidence(
        tokenizer=tokenizer_facts(pad_token=None, bos_token=" <s>"),
        special_token_ids=SpecialTokenIds(
            tokenizer=TokenIds(bos=1, eos=(2,)), config=TokenIds(pad=0), generation_config=TokenIds(eos=(2, 7))
        ),
    )
    assert what_was_run.special_tokens(found) == [
        ("pad", "None", "0", "None"),
        ("bos", "1 ␣<s>", "None", "None"),
        ("eos", "2 </s>", "None", "2, 7"),
    ]


def test_a_better_pad_token_is_named_if_the_vocabulary_has_one() -> None:
    suggestion = PadTokenSuggestion(token="<|pad|>", token_id=7, reason="by name")
    settings = dict(
        what_was_run.tokenizer_settings(evidence(tokenizer=tokenizer_facts(pad_token_suggestion=suggestion)))
    )
    assert settings["better pad token"] == "<|pad|> (7): by name"
    assert "better pad token" not in dict(what_was_run.tokenizer_settings(evidence()))


def test_each_warning_is_shown_with_its_run() -> None:
    found = evidence(load_warnings=("a\nb",), runs=runs(right=run_result("right", warnings=("use left", "again"))))
    assert what_was_run.warnings(made_visible(found)) == [("loading", "a↵b"), ("right", "use left"), ("right", "again")]


def test_settings_are_written_like_arguments() -> None:
    assert what_was_run.settings_text({"top_p": 0.9, "suffix": "\x1b"}) == r"top_p=0.9, suffix='\x1b'"
    assert what_was_run.settings_text({}) == ""


WINDOW = LengthLimit(key="sliding_window", tokens=4096, what="the attention window is full", crossed=False)


def test_the_limits_that_no_row_passed_are_named() -> None:
    [(label, text)] = what_was_run.limits(evidence(length_limits=(WINDOW,)))
    assert label == "limits not crossed"
    assert text == (
        "the attention window is full at 4096 tokens (sliding_window); your longest row ends at 5 "
        "(--cross-limits passes them)"
    )


def test_a_limit_that_could_not_be_crossed_gives_the_reason_and_no_hint() -> None:
    left_out = replace(WINDOW, why_not="memory ran out")
    [(_, text)] = what_was_run.limits(evidence(length_limits=(left_out,)))
    assert text.endswith("(sliding_window), left out because memory ran out; your longest row ends at 5")


def test_the_limits_that_were_crossed_on_purpose_are_named_with_their_prompts() -> None:
    passed = (replace(WINDOW, tokens=3, crossed=True), replace(WINDOW, crossed=True))
    crossing = {"num_prompt_tokens": (3, 1, 4100, 1), "crossing_prompts": (2, 3), "prompts": ("a", "b", "c", "b")}
    [(label, text)] = what_was_run.limits(evidence(length_limits=passed, **crossing))
    assert label == "limits crossed"
    assert text == (
        "the attention window is full at 4096 tokens (sliding_window); prompts 2 to 3 repeat your text (4100, 1 tokens)"
    )


def test_nothing_is_said_of_limits_that_the_prompts_of_the_user_passed_or_if_nothing_ran() -> None:
    assert what_was_run.limits(evidence(length_limits=(replace(WINDOW, tokens=3, crossed=True),))) == []
    assert what_was_run.limits(evidence(length_limits=(WINDOW,), runs={})) == []
