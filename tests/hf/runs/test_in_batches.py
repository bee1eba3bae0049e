"""Which runs are executed for which model, and that the model is left as it was found."""

from collections.abc import Iterator
from contextlib import contextmanager

import builders
import pytest
import torch
from transformers import PreTrainedModel
from zoo import compare
from zoo.comparing import UNAVAILABLE
from zoo.families import build_family, tokenizer
from zoo.masks import blocks_of_slots, ignored, one_pad_short, three_pads_at_most
from zoo.planting import DTYPES, Fault, planted

from padcheck.core.progress import Silent
from padcheck.core.report import Report
from padcheck.core.run_plans import HALF_ONLY, IN_FLOAT32, RUN_PLANS, SINGLE
from padcheck.core.settings import JudgeSettings
from padcheck.core.verdicts import Verdict
from padcheck.judging.judge import judge

USER_RUNS = (SINGLE, "left", "right")
EXPENSIVE = tuple(builders.EXPENSIVE)
SHORTEST, LONGEST = 3, 1
PAIR = [2, 3]
"""Prompts of the zoo; PAIR is the shortest and the next one that gives it a few pads."""
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


@pytest.fixture(scope="module")
def clean() -> dict[torch.dtype, Report]:
    return {dtype: compare(build_family(dtype)) for dtype in DTYPES}


def test_the_builders_of_tests_know_every_run() -> None:
    known = builders.PROBES | builders.HALF_ONLY | builders.EXPENSIVE | builders.FOR_TRAINING | builders.MODES
    assert {
        name: (plan.reference, plan.padding_side) for name, plan in RUN_PLANS.items() if name not in USER_RUNS
    } == known
    assert {name for name, plan in RUN_PLANS.items() if plan.expensive} == set(builders.EXPENSIVE)
    assert {name for name, plan in RUN_PLANS.items() if plan.for_training} == set(builders.FOR_TRAINING)
    assert {name for name, plan in RUN_PLANS.items() if plan.mode and not plan.expensive} == set(builders.MODES)
    assert set(HALF_ONLY) == set(builders.HALF_ONLY)
    assert {name for name, plan in RUN_PLANS.items() if plan.as_loaded} == set(builders.AS_RUN)


def test_a_run_comes_after_its_reference() -> None:
    names = list(RUN_PLANS)
    for name, plan in RUN_PLANS.items():
        assert plan.reference is None or names.index(plan.reference) < names.index(name)


def test_results_are_in_the_order_of_the_plans(clean: dict[torch.dtype, Report]) -> None:
    for report in clean.values():
        assert list(report.evidence.runs) == [name for name in RUN_PLANS if name in report.evidence.runs]


@every_dtype
def test_on_a_clean_model_the_expensive_probes_are_left_out_and_named(
    clean: dict[torch.dtype, Report], dtype: torch.dtype
) -> None:
    evidence = clean[dtype].evidence
    assert evidence.left_out == EXPENSIVE
    assert not set(EXPENSIVE) & (set(evidence.runs) | set(evidence.differences))
    assert evidence.sweep is None
    assert evidence.places == {}


@every_dtype
def test_every_measurement_runs_a_few_pad_counts(clean: dict[torch.dtype, Report], dtype: torch.dtype) -> None:
    screen = clean[dtype].evidence.screen
    assert screen is not None
    assert (screen.prompt_index, screen.error) == (LONGEST, None)
    assert [count.num_pad_tokens for count in screen.counts] == [1, 2, 3, 5, 7, 8, 9, 16, 17, 33]
    assert max(count.step.max_abs_diff for count in screen.counts) < 1e-4, "in float32, whatever the model's dtype is"


@every_dtype
def test_a_16_bit_model_is_probed_in_float32_and_its_user_runs_are_in_16_bit(
    clean: dict[torch.dtype, Report], dtype: torch.dtype
) -> None:
    evidence = clean[dtype].evidence
    in_half = dtype is not torch.float32
    for name, result in evidence.runs.items():
        assert result.dtype == ("float32" if in_half and name not in builders.AS_RUN else None), name
        reference = RUN_PLANS[name].reference
        assert result.reference == (IN_FLOAT32.get(reference, reference) if result.dtype else reference), name
    assert (set(builders.HALF_ONLY) <= set(evidence.runs)) == in_half


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_in_float_32_the_left_padded_batch_is_given_the_tokens_of_16_bit(
    clean: dict[torch.dtype, Report], dtype: torch.dtype
) -> None:
    results = clean[dtype].evidence.runs
    for index, row in enumerate(results["left"].rows):
        for name in builders.HALF_ONLY:
            assert results[name].rows[index].generated_ids == row.generated_ids
    alone = ("single", "replayed", "single_float32", "replayed_float32")
    assert {result.stand_in for name, result in results.items() if name not in alone} == {None}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_in_16_bit_each_step_of_a_padded_row_is_compared_with_float32(
    clean: dict[torch.dtype, Report], dtype: torch.dtype
) -> None:
    report = clean[dtype]
    steps = {(step.prompt_index, step.step) for step in report.evidence.precision}
    padded = [row.prompt_index for row in report.evidence.runs["left"].rows if row.num_pad_tokens]
    assert {index for index, _ in steps} == set(padded) == {0, 2, 3}
    assert all(step.left > 0 and step.alone > 0 and step.num_pad_tokens for step in report.evidence.precision)
    assert report.precision_test is not None
    assert not report.precision_test.shows_fault
    assert clean[torch.float32].evidence.precision == ()
    assert clean[torch.float32].precision_test is None


ON_ALL = (*("single", "left", "right", "replayed"), *builders.HALF_ONLY, *("scrambled", "right_forward"))
ON_FEW = ("left_no_mask", "forward")


@every_dtype
def test_on_a_clean_model_no_run_raises_and_each_has_the_rows_of_its_prompts(
    clean: dict[torch.dtype, Report], dtype: torch.dtype
) -> None:
    evidence = clean[dtype].evidence
    prompts = list(range(len(evidence.prompts)))
    of = {
        **dict.fromkeys(ON_ALL, prompts),
        "left_alone": [SHORTEST],
        "batched": [SHORTEST],
        "forward_again": [LONGEST],
    }
    assert {result.error for result in evidence.runs.values()} == {None}
    compared = {name for name, result in evidence.runs.items() if result.reference is not None}
    assert set(evidence.differences) == compared
    few = dict.fromkeys(ON_FEW, sorted((SHORTEST, LONGEST)))
    for name, result in evidence.runs.items():
        expected = (of | few).get(name, PAIR)
        assert [row.prompt_index for row in result.rows] == expected, name
        # A stand-in is not compared with itself.
        compared = [row.prompt_index for row in result.rows if row.stand_in is None or name == "single"]
        if result.reference is not None:
            assert [row.prompt_index for row in evidence.differences[name]] == compared, name


@every_dtype
def test_the_noise_floor_of_a_clean_model_is_measured(clean: dict[torch.dtype, Report], dtype: torch.dtype) -> None:
    floor = clean[dtype].noise_floor
    assert floor is not None
    assert floor.method == "measured"
    steps = [step for row in clean[dtype].evidence.differences["left"] for step in row.steps]
    assert 0 < floor.measured < 100 * torch.finfo(dtype).eps * max(step.logit_scale for step in steps)
    # Of a model in 16 bit the batch of copies runs in float32, and says nothing about the floor of 16 bit.
    more = {"batched"} if dtype is torch.float32 else {"float32_twin"}
    assert {way.name for way in floor.ways} >= {"rounding_errors", "replayed"} | more
    assert {way.counted for way in floor.ways if way.error is None} == {True}
    assert (floor.measured_in_float32 is not None) == (dtype is not torch.float32)


@every_dtype
def test_a_mask_that_is_broken_on_purpose_shows(clean: dict[torch.dtype, Report], dtype: torch.dtype) -> None:
    assert clean[dtype].comparisons["broken_mask"].verdict is Verdict.DIFFERENT


def test_the_pads_of_the_broken_mask_are_counted_as_pads(clean: dict[torch.dtype, Report]) -> None:
    evidence = clean[torch.float32].evidence
    pads = {
        name: {row.prompt_index: row.num_pad_tokens for row in evidence.differences[name]}
        for name in ("left", "scrambled", "broken_mask")
    }
    assert pads["scrambled"] == pads["left"]
    lengths = evidence.num_prompt_tokens
    assert pads["broken_mask"] == {index: lengths[PAIR[0]] - lengths[index] for index in PAIR}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_thorough_runs_the_expensive_probes_on_a_clean_model(dtype: torch.dtype) -> None:
    report = compare(build_family(dtype), thorough=True, task="train")
    evidence = report.evidence
    assert evidence.left_out == ()
    assert list(evidence.runs) == [
        name for name in RUN_PLANS if name not in builders.MODES and (name not in HALF_ONLY or dtype is not DTYPES[0])
    ]
    prompts = list(range(len(evidence.prompts)))
    for name in evidence.runs.keys() - UNAVAILABLE:
        assert [row.prompt_index for row in evidence.runs[name].rows] == prompts, name
    assert {result.stand_in for result in evidence.runs.values()} == {None}
    assert evidence.sweep is not None
    assert evidence.sweep.error is None
    for name in {"uncached", "left_uncached", "left_other_attention"} - UNAVAILABLE:
        assert report.comparisons[name].verdict in (Verdict.IDENTICAL, Verdict.EQUIVALENT)
    assert report.comparisons["other_positions"].verdict is Verdict.DIFFERENT
    assert report.status == "pass"


@pytest.mark.parametrize("fault", [ignored, one_pad_short, three_pads_at_most, blocks_of_slots])
def test_the_expensive_probes_run_on_a_model_with_a_fault(fault: Fault) -> None:
    evidence = compare(planted(fault)(torch.float32)).evidence
    assert evidence.left_out == ()
    assert set(EXPENSIVE) <= set(evidence.runs)
    assert evidence.sweep is not None
    assert evidence.sweep.counts


def ignored_beside_token(token_id: int) -> Fault:
    """The mask is ignored in a batch that contains this token."""
    return lambda call: ignored(call) if (call.input_ids == token_id).any() else {}


def test_the_expensive_probes_run_from_the_first_batch_in_doubt() -> None:
    five = tokenizer().convert_tokens_to_ids("five")
    report = compare(planted(ignored_beside_token(five))(torch.float32), batch_size=2)
    assert [row.prompt_index for row in report.comparisons["left"].rows if row.verdict is Verdict.DIFFERENT] == [3]
    assert [row.prompt_index for row in report.evidence.runs["uncached"].rows] == [2, 3]
    assert report.evidence.left_out == ()
    assert report.evidence.sweep is not None
    assert report.evidence.sweep.prompt_index == 2


def test_a_report_can_be_judged_more_strictly_although_the_expensive_probes_did_not_run() -> None:
    report = compare(planted(three_pads_at_most)(torch.float32), batch_size=2)
    assert judge("compare", report.evidence, JudgeSettings(atol=0.0, rtol=0.0)).status == "fail"


def test_batches_are_nearly_equal_so_that_no_prompt_is_left_alone() -> None:
    encoded = tuple(tuple(range(10, 10 + length)) for length in (4, 4, 4, 4, 9))
    rows = compare(build_family(torch.float32), encoded, batch_size=4).evidence.runs["left"].rows
    assert [row.num_pad_tokens for row in rows] == [0, 0, 5, 5, 0]


def test_a_batch_of_copies_and_a_few_copies_have_different_sizes() -> None:
    heights: dict[str, set[int]] = {}

    @contextmanager
    def watched(key: str) -> Iterator[None]:
        handle = model.register_forward_pre_hook(
            lambda _model, args, kwargs: heights.setdefault(key, set()).add(
                len(args[0] if args else kwargs["input_ids"])
            ),
            with_kwargs=True,
        )
        yield
        handle.remove()

    class Watch(Silent):
        def stage(self, description: str, key: str, *, downloads: bool = False) -> Iterator[None]:
            return watched(key)

    model = build_family(torch.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("zoo.comparing.Silent", Watch)
        for prompts in (4, 2):
            heights.clear()
            compare(model, encoded=((4, 5, 6), (7, 8), (9,), (10, 11))[:prompts], thorough=True)
            few, batched = (heights[name] for name in ("few_copies", "batched"))
            assert batched == {prompts}
            assert few == {3 if prompts == 2 else 2}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_model_is_left_as_it_was_found(dtype: torch.dtype) -> None:
    def state(model: PreTrainedModel) -> dict[str, object]:
        return {
            "generation_config": (id(model.generation_config), model.generation_config.to_dict()),
            "config": model.config.to_dict(),
            "attention": model.config._attn_implementation,
            "training": [module.training for module in model.modules()],
            "hooks": [
                len(module._forward_hooks) + len(module._forward_pre_hooks) + len(module._backward_hooks)
                for module in model.modules()
            ],
            "parameters": {name: (id(p), p.dtype, p.requires_grad) for name, p in model.named_parameters()},
        }

    model = build_family(dtype).train()
    before, weights = state(model), {name: value.clone() for name, value in model.state_dict().items()}
    compare(model, thorough=True)
    assert state(model) == before
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())


def test_sampled_runs_of_one_step_draw_the_tokens_of_generate() -> None:
    report = compare(build_family(torch.float32), do_sample=True, temperature=3.0)
    greedy = compare(build_family(torch.float32))
    drawn = [row.generated_ids[0] for row in report.evidence.runs["single"].rows]
    assert drawn != [row.generated_ids[0] for row in greedy.evidence.runs["single"].rows]
    for name in ("forward", "right_forward", "forward_again", "left_alone"):
        rows = report.evidence.runs[name].rows
        assert [row.generated_ids[0] for row in rows] == [drawn[row.prompt_index] for row in rows]
        assert report.comparisons[name].first_different_token is None
