import pytest
from builders import (
    difference,
    gave,
    in_half,
    model_facts,
    no_padding,
    probes,
    raised,
    report,
    runs,
    tokenizer_facts,
    unpadded_difference,
    without,
)

from padcheck.core.facts import PaddingSide
from padcheck.core.settings import JudgeSettings
from padcheck.core.verdicts import Advice

SIDES_WRONG = {"left": 0.5, "right": 0.5}
FORWARD_WRONG = {"left_forward": 0.5, "left_forward_positions": 0.5, "right_forward": 0.5}
POSITIONS = "position_ids = (inputs.attention_mask.cumsum(-1) - 1).clamp(min=0)"


def advised(**changes: object) -> dict[str, Advice]:
    return {advice.task: advice for advice in report(**changes).advice}


def asked_for(advice: Advice) -> tuple[PaddingSide | None, bool, bool]:
    return advice.padding_side, advice.position_ids, advice.attention_mask


def padded(side: PaddingSide) -> str:
    return f'tokenizer.padding_side = "{side}"; inputs = tokenizer(texts, padding=True, return_tensors="pt")'


def test_there_is_a_line_for_each_task_in_order() -> None:
    assert [advice.task for advice in report().advice] == ["generating", "scoring", "training"]


# Generating


@pytest.mark.parametrize(
    ("measured", "side"),
    [
        ({}, "left"),
        ({"left": 1e-6, "right": 0.5}, "left"),
        ({"left": 0.5, "right": 1e-6}, "right"),
        ({"left": None, "right": 0.0}, "right"),
        (SIDES_WRONG, None),
    ],
    ids=["both are right", "left within rounding", "only right is right", "left is NaN", "neither"],
)
def test_the_side_to_generate_on_is_one_that_was_right(
    measured: dict[str, float | None], side: PaddingSide | None
) -> None:
    advice = advised(**probes(**measured))["generating"]
    assert advice.padding_side == side
    assert not advice.position_ids
    if side is None:
        assert advice.line == (
            'for text in texts: model.generate(**tokenizer(text, return_tensors="pt"))  # no padded batch is right'
        )
    else:
        assert advice.line.split("  # ")[0] == f"{padded(side)}; model.generate(**inputs)"


@pytest.mark.parametrize(("without_mask", "needed"), [(0.0, False), (1e-6, False), (0.5, True), (None, True)])
def test_generating_says_whether_the_mask_is_needed(without_mask: float | None, needed: bool) -> None:
    advice = advised(**probes(left_no_mask=without_mask))["generating"]
    assert asked_for(advice) == ("left", False, needed)
    assert advice.line.endswith("  # also without attention_mask") != needed


def test_a_mask_that_was_not_left_out_is_needed() -> None:
    assert advised(**without("left_no_mask"))["generating"].attention_mask


def test_on_the_right_no_run_without_a_mask_says_that_it_is_not_needed() -> None:
    assert asked_for(advised(**probes(left=0.5, left_no_mask=0.0))["generating"]) == ("right", False, True)


def test_a_side_on_which_a_row_without_pads_is_wrong_is_not_advised() -> None:
    changes = gave(left=(unpadded_difference(0.5), difference(0.0)), right=(unpadded_difference(0.5), difference(0.0)))
    assert advised(**changes)["generating"].padding_side is None


def test_a_side_that_raised_is_not_advised() -> None:
    assert advised(runs=runs(left=raised("left")))["generating"].padding_side == "right"


@pytest.mark.parametrize(("left_float32", "side"), [(1e-6, "left"), (0.5, None)])
def test_in_16_bit_left_has_to_be_right_in_float32_too(left_float32: float, side: PaddingSide | None) -> None:
    changes = in_half("bfloat16", left=0.5, right=0.5, left_float32=left_float32)
    assert advised(**changes)["generating"].padding_side == side


def test_in_16_bit_a_run_without_a_cache_does_not_make_up_for_float32() -> None:
    changes = in_half("bfloat16", left=0.5, right=9.0, left_float32=0.5, uncached=0.0, left_uncached=0.5)
    assert advised(**changes)["generating"].padding_side is None


def test_another_attention_implementation_that_makes_left_right_is_advised() -> None:
    changes = probes(left=0.5, right=0.5, left_other_attention=1e-6, uncached=0.0, left_uncached=0.0)
    advice = advised(model=model_facts(attn_implementation="eager"), **changes)["generating"]
    assert asked_for(advice) == ("left", False, True)
    assert advice.line == (f'model.set_attn_implementation("sdpa"); {padded("left")}; model.generate(**inputs)')


@pytest.mark.parametrize(
    ("without_cache", "side"),
    [
        ({"uncached": 0.0, "left_uncached": 1e-6}, "left"),
        ({"uncached": 0.5, "left_uncached": 0.0}, None),
        ({"uncached": 0.0, "left_uncached": 0.5}, None),
        ({"left_uncached": 0.0}, None),
    ],
)
def test_no_cache_is_advised_if_that_makes_left_right(
    without_cache: dict[str, float], side: PaddingSide | None
) -> None:
    advice = advised(**probes(left=0.5, right=0.5, **without_cache))["generating"]
    assert asked_for(advice) == (side, False, side is not None)
    if side is not None:
        assert advice.line == f"{padded('left')}; model.generate(**inputs, use_cache=False)"


@pytest.mark.parametrize("expensive", [{"left_other_attention": 0.0}, {"uncached": 0.0, "left_uncached": 0.0}])
def test_a_side_that_is_right_as_it_is_comes_first(expensive: dict[str, float]) -> None:
    for measured, side in (({}, "left"), ({"left": 0.5}, "right")):
        advice = advised(**probes(**measured, **expensive))["generating"]
        assert advice.padding_side == side
        assert "use_cache" not in advice.line
        assert "set_attn_implementation" not in advice.line


# Scoring


@pytest.mark.parametrize(
    ("measured", "side", "position_ids"),
    [
        ({}, "right", False),
        ({"right_forward": 0.5}, "left", False),
        ({"right_forward": 0.5, "left_forward": 0.5}, "left", True),
        ({"left_forward": 0.5}, "right", False),
        (FORWARD_WRONG, None, False),
    ],
    ids=["right is right", "left is right", "left with positions", "left needs positions, right is right", "nothing"],
)
def test_the_way_to_score_is_the_simplest_that_was_right(
    measured: dict[str, float], side: PaddingSide | None, position_ids: bool
) -> None:
    advice = advised(**probes(**measured))["scoring"]
    assert (advice.padding_side, advice.position_ids) == (side, position_ids)
    if side is None:
        assert not advice.attention_mask
        assert advice.line == (
            'for text in texts: model(**tokenizer(text, return_tensors="pt"))  # no padded batch is right'
        )
    else:
        with_positions = f"{POSITIONS}; model(**inputs, position_ids=position_ids)"
        assert advice.line == f"{padded(side)}; {with_positions if position_ids else 'model(**inputs)'}"


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        ({"right_forward_no_mask": 0.0}, ("right", False, False)),
        ({"right_forward_no_mask": 0.5}, ("right", False, True)),
        ({"right_forward": 0.5, "left_forward_no_mask": 0.0}, ("left", False, False)),
        ({"right_forward": 0.5, "left_forward_no_mask": 0.5}, ("left", False, True)),
        ({"right_forward": 0.5, "left_forward": 0.5, "left_forward_no_mask": 0.5}, ("left", True, True)),
    ],
)
def test_scoring_says_whether_the_mask_is_needed(
    measured: dict[str, float], expected: tuple[PaddingSide, bool, bool]
) -> None:
    assert asked_for(advised(**probes(**measured))["scoring"]) == expected


def test_a_way_to_score_that_did_not_run_is_not_advised() -> None:
    assert advised(**without("right_forward"))["scoring"].padding_side == "left"
    assert advised(**without("right_forward", "left_forward", "left_forward_positions"))["scoring"].padding_side is None


# Training


@pytest.mark.parametrize(
    "measured",
    [
        {},
        {"right_forward_no_mask": 0.5},
        {"right_forward": 0.5, "left_forward": 0.5},
        FORWARD_WRONG,
    ],
)
def test_training_pads_as_scoring_does(measured: dict[str, float]) -> None:
    advice = advised(**probes(**measured))
    assert asked_for(advice["training"]) == asked_for(advice["scoring"])


def test_labels_are_made_from_the_mask_and_not_from_ids() -> None:
    assert advised()["training"].line == (
        "labels = inputs.input_ids.masked_fill(inputs.attention_mask == 0, -100)  # inputs as for scoring"
    )


def test_without_a_right_batch_texts_of_one_length_are_trained_on() -> None:
    assert advised(**probes(**FORWARD_WRONG))["training"].line == (
        "# batches of texts of equal length: no padded batch is right"
    )


# All


@pytest.mark.parametrize(
    "measured",
    [
        {},
        {"left_no_mask": 0.5, "right_forward_no_mask": 0.5},
        {"right_forward": 0.5},
        {"right_forward": 0.5, "left_forward": 0.5},
        SIDES_WRONG | FORWARD_WRONG,
        SIDES_WRONG | {"left_other_attention": 0.0},
        SIDES_WRONG | {"uncached": 0.0, "left_uncached": 0.0},
    ],
)
def test_every_line_is_python(measured: dict[str, float]) -> None:
    for advice in report(**probes(**measured)).advice:
        assert "\n" not in advice.line
        compile(advice.line, advice.task, "exec")


def test_the_lines_of_scoring_and_training_fit_together() -> None:
    import torch

    class Inputs(dict):
        __getattr__ = dict.__getitem__

    inputs = Inputs(input_ids=torch.tensor([[0, 0, 7], [5, 6, 0]]), attention_mask=torch.tensor([[0, 0, 1], [1, 1, 1]]))
    received = {}

    def model(**arguments: object) -> Inputs:
        received.update(arguments)
        return Inputs(logits=None)

    class Tokenizer:
        def __call__(self, texts: object, **asked: object) -> Inputs:
            return inputs

    names = {"texts": ["a", "b"], "tokenizer": Tokenizer(), "model": model}
    advice = advised(**probes(right_forward=0.5, left_forward=0.5))
    exec(advice["scoring"].line, names)
    exec(advice["training"].line, names)
    assert received["position_ids"].tolist() == [[0, 0, 0], [0, 1, 2]]
    assert names["labels"].tolist() == [[-100, -100, -100], [-100, 6, 0]]


@pytest.mark.parametrize(
    "changes",
    [no_padding(), {"runs": {}, "differences": {}}, {"runs": {"left": runs()["left"]}}],
    ids=["no padding", "no run", "no reference"],
)
def test_nothing_is_advised_if_nothing_was_measured(changes: dict[str, object]) -> None:
    assert report(**changes).advice == ()


def test_nothing_is_advised_about_a_tokenizer_alone() -> None:
    assert report("inspect-tokenizer").advice == ()


def test_in_16_bit_a_side_that_float32_shows_to_be_wrong_is_not_for_scoring() -> None:
    assert advised(**in_half("bfloat16", right_forward=0.01))["scoring"].padding_side == "left"
    both = in_half("bfloat16", right_forward=0.01, left_forward=0.01, left_forward_positions=0.01)
    assert advised(**both)["scoring"].padding_side is None


def test_a_tokenizer_without_a_pad_token_gets_the_one_of_the_run_first() -> None:
    lines = advised(tokenizer=tokenizer_facts(pad_token=None, pad_token_id=None, pad_token_used="</s>"))
    for task in ("generating", "scoring"):
        assert lines[task].line.startswith("tokenizer.pad_token = '</s>'; tokenizer.padding_side")
        compile(lines[task].line, task, "exec")


@pytest.mark.parametrize(
    ("measured", "side", "positions"),
    [
        ({}, "left", False),
        ({"left_forward": 0.5}, "left", True),
        ({"left_forward": 0.5, "left_forward_positions": 0.5}, "right", False),
    ],
)
def test_the_side_of_the_caller_is_preferred_for_scoring(measured, side, positions) -> None:
    asked = JudgeSettings(task="score", padding_side="left")
    [scoring] = (each for each in report(settings=asked, **probes(**measured)).advice if each.task == "scoring")
    assert (scoring.padding_side, scoring.position_ids) == (side, positions)
