"""Which arms run on which model, and that nothing of it is left behind."""

from collections.abc import Iterator
from contextlib import contextmanager

import builders
import pytest
import torch
from transformers import PreTrainedModel
from zoo import compare
from zoo.families import build_family
from zoo.masks import blocks_of_slots, ignored, one_pad_short, three_pads_at_most
from zoo.planting import DTYPES, Fault, planted

from padcheck.evidence import SINGLE
from padcheck.hf.plans import PLANS
from padcheck.judge import judge
from padcheck.progress import Silent
from padcheck.report import Report, Verdict
from padcheck.settings import JudgeSettings

GENERATED = (SINGLE, "left", "right")
EXPENSIVE = tuple(builders.EXPENSIVE)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


@pytest.fixture(scope="module")
def clean() -> dict[torch.dtype, Report]:
    return {dtype: compare(build_family(dtype)) for dtype in DTYPES}


def test_the_builders_of_tests_know_every_arm() -> None:
    known = builders.PROBES | builders.IN_FLOAT32 | builders.EXPENSIVE
    assert {name: (plan.reference, plan.padding_side) for name, plan in PLANS.items() if name not in GENERATED} == known
    assert {name for name, plan in PLANS.items() if plan.dear} == set(builders.EXPENSIVE)
    assert {name for name, plan in PLANS.items() if plan.half_only} == set(builders.IN_FLOAT32)


def test_an_arm_is_read_against_one_that_ran_before() -> None:
    names = list(PLANS)
    for name, plan in PLANS.items():
        assert plan.reference is None or names.index(plan.reference) < names.index(name)


def test_the_arms_come_in_the_order_of_the_plans(clean: dict[torch.dtype, Report]) -> None:
    for report in clean.values():
        assert list(report.evidence.arms) == [name for name in PLANS if name in report.evidence.arms]


@every_dtype
def test_on_a_clean_model_the_dear_probes_are_left_out_and_named(
    clean: dict[torch.dtype, Report], dtype: torch.dtype
) -> None:
    evidence = clean[dtype].evidence
    # Where rounding cannot hide a fault, what stands for the unpadded run is itself a replay.
    assert evidence.left_out == (("few_copies", "batched", "replayed", *EXPENSIVE) if dtype is torch.float32 else EXPENSIVE)
    assert not set(EXPENSIVE) & (set(evidence.arms) | set(evidence.differences))
    assert evidence.sweep is None


@every_dtype
def test_the_arms_in_float32_exist_only_where_the_model_is_in_16_bit(
    clean: dict[torch.dtype, Report], dtype: torch.dtype
) -> None:
    evidence = clean[dtype].evidence
    in_float32 = {name for name, arm in evidence.arms.items() if arm.dtype == "float32"}
    assert in_float32 == (set() if dtype is torch.float32 else set(builders.IN_FLOAT32))
    assert not set(builders.IN_FLOAT32) & set(evidence.left_out)
    assert {arm.dtype for name, arm in evidence.arms.items() if name not in in_float32} == {None}


@every_dtype
def test_on_a_clean_model_no_arm_raises_and_each_has_a_row_a_prompt_or_of_a_few(
    clean: dict[torch.dtype, Report], dtype: torch.dtype
) -> None:
    evidence = clean[dtype].evidence
    prompts = list(range(len(evidence.prompts)))
    by_length = sorted(prompts, key=lambda index: evidence.num_prompt_tokens[index])
    shortest, longest = by_length[0], by_length[-1]
    quick = {
        **dict.fromkeys(("single", "left", "right", "forward", "left_forward_positions", "right_forward"), prompts),
        "left_alone": [shortest],
        "forward_again": [longest],
    }
    assert {arm.error for arm in evidence.arms.values()} == {None}
    compared = {name for name, arm in evidence.arms.items() if arm.reference is not None}
    assert set(evidence.differences) == compared
    for name, arm in evidence.arms.items():
        few = quick.get(name, sorted((shortest, longest)))
        expected = few if dtype is torch.float32 else prompts
        assert [row.prompt_index for row in arm.rows] == expected
        assert [row.prompt_index for row in evidence.differences.get(name, arm.rows)] == expected


@every_dtype
def test_the_noise_floor_of_a_clean_model_is_measured(clean: dict[torch.dtype, Report], dtype: torch.dtype) -> None:
    floor = clean[dtype].noise_floor
    assert floor is not None
    assert floor.method == "measured"
    steps = [step for row in clean[dtype].evidence.differences["left"] for step in row.steps]
    assert 0 < floor.measured < 100 * torch.finfo(dtype).eps * max(step.logit_scale for step in steps)
    again = set() if dtype is torch.float32 else {"few_copies", "batched", "replayed"}
    ways = {"rounding_errors"} | again
    assert {way.name for way in floor.ways} >= ways


@every_dtype
def test_a_mask_that_is_broken_on_purpose_shows(clean: dict[torch.dtype, Report], dtype: torch.dtype) -> None:
    assert clean[dtype].comparisons["broken_mask"].verdict is Verdict.DIFFERENT


def test_the_pads_of_the_broken_mask_are_counted_as_pads(clean: dict[torch.dtype, Report]) -> None:
    evidence = clean[torch.float32].evidence
    pads = {
        name: {row.prompt_index: row.num_pad_tokens for row in evidence.differences[name]}
        for name in ("left", "scrambled", "broken_mask")
    }
    assert pads["scrambled"] == pads["broken_mask"]
    assert pads["left"] | pads["scrambled"] == pads["left"]
    assert sorted(pads["scrambled"].values()) == [0, max(pads["left"].values())]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_thorough_runs_them_all_although_the_others_agree(dtype: torch.dtype) -> None:
    report = compare(build_family(dtype), thorough=True)
    evidence = report.evidence
    assert evidence.left_out == ()
    assert list(evidence.arms) == [name for name, plan in PLANS.items() if not plan.half_only or dtype is not DTYPES[0]]
    assert evidence.sweep is not None
    assert evidence.sweep.error is None
    other = ["left_other_attention"] if hasattr(PreTrainedModel, "set_attn_implementation") else []
    for name in ("uncached", "left_uncached", *other):
        assert report.comparisons[name].verdict in (Verdict.IDENTICAL, Verdict.EQUIVALENT)
    assert report.comparisons["other_positions"].verdict is Verdict.DIFFERENT
    assert report.status == "pass"


@pytest.mark.parametrize("fault", [ignored, one_pad_short, three_pads_at_most, blocks_of_slots])
def test_on_a_model_with_a_fault_they_run_by_themselves(fault: Fault) -> None:
    evidence = compare(planted(fault)(torch.float32)).evidence
    assert evidence.left_out == ()
    assert set(EXPENSIVE) <= set(evidence.arms)
    assert evidence.sweep is not None
    assert evidence.sweep.counts


def test_they_run_from_the_batch_on_that_calls_for_them() -> None:
    report = compare(planted(three_pads_at_most)(torch.float32), batch_size=2)
    assert [row.prompt_index for row in report.comparisons["left"].rows if row.verdict is Verdict.DIFFERENT] == [3]
    assert [row.prompt_index for row in report.evidence.arms["uncached"].rows] == [2, 3]
    assert report.evidence.left_out == ()
    assert report.evidence.sweep is not None
    assert report.evidence.sweep.prompt_index == 2


def test_a_report_may_be_judged_more_strictly_than_its_dear_probes_were_called_for() -> None:
    report = compare(planted(three_pads_at_most)(torch.float32), batch_size=2)
    assert judge("compare", report.evidence, JudgeSettings(atol=0.0, rtol=0.0)).status == "fail"


def test_a_batch_of_copies_and_a_few_copies_are_of_another_size() -> None:
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


def test_sampled_arms_of_one_step_draw_what_generate_draws() -> None:
    report = compare(build_family(torch.float32), do_sample=True, temperature=3.0)
    greedy = compare(build_family(torch.float32))
    drawn = [row.generated_ids[0] for row in report.evidence.arms["single"].rows]
    assert drawn != [row.generated_ids[0] for row in greedy.evidence.arms["single"].rows]
    for name in ("forward", "right_forward", "forward_again", "left_alone"):
        assert [row.generated_ids[0] for row in report.evidence.arms[name].rows] == drawn
        assert report.comparisons[name].first_different_token is None
