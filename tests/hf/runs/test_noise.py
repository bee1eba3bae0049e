"""Random rounding errors have the right size and leave no trace, and the meter measures with them."""

from collections.abc import Iterator

import pytest
import torch
from transformers import PreTrainedModel
from transformers.utils import ModelOutput
from zoo.families import PAD, VOCAB_SIZE, build_family

from padcheck.core.evidence import NoiseProbe
from padcheck.core.run_plans import SINGLE, RunName
from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls import forwards
from padcheck.hf.calls.batches import Batch
from padcheck.hf.calls.forwards import replay
from padcheck.hf.calls.trace import RowTrace
from padcheck.hf.float32.view import Float32View, in_float32
from padcheck.hf.runs.context import RunContext, Traces
from padcheck.hf.runs.noise import NoiseMeter, rounding_errors
from padcheck.hf.runs.runtime import AsLoaded, InFloat32

HALF = (torch.bfloat16, torch.float16)
DTYPES = (torch.float32, *HALF)
PROMPTS = {3: tuple(range(4, 11)), 5: (20, 21, 22)}
NEW = (30, 31, 32)
BATCH = Batch(PROMPTS, 7, PAD, VOCAB_SIZE, seed=0)
every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def logits_of(model: PreTrainedModel) -> torch.Tensor:
    with torch.inference_mode():
        return model(torch.tensor([PROMPTS[3]])).logits


def replayed(model: PreTrainedModel) -> dict[int, RowTrace]:
    return {index: replay(model, prompt, NEW) for index, prompt in PROMPTS.items()}


def num_hooks(model: torch.nn.Module) -> int:
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules())


def steps_between(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """How many 16-bit numbers lie between the entries of two tensors of the same sign."""
    return (before.view(torch.int16).int() - after.view(torch.int16).int()).abs()


@every_dtype
@pytest.mark.parametrize("model_type", ["llama", "gpt2", "mamba"])
def test_rounding_errors_move_the_logits_a_little(model_type: str, dtype: torch.dtype) -> None:
    model = build_family(dtype, model_type)
    before = logits_of(model)
    with rounding_errors(model, seed=0):
        moved = logits_of(model)
    far, scale = (moved.float() - before.float()).abs().max(), before.float().abs().max()
    assert moved.dtype == before.dtype
    assert 0 < far < 20 * torch.finfo(dtype).eps * scale
    assert num_hooks(model) == 0
    assert torch.equal(logits_of(model), before)


@every_dtype
def test_the_seed_decides_the_errors(dtype: torch.dtype) -> None:
    model, moved = build_family(dtype), {}
    for run, seed in (("first", 0), ("again", 0), ("other", 1)):
        with rounding_errors(model, seed):
            moved[run] = logits_of(model)
    assert torch.equal(moved["first"], moved["again"])
    assert not torch.equal(moved["first"], moved["other"])


def test_the_global_random_state_is_left_alone() -> None:
    model, state = build_family(torch.float32), torch.get_rng_state()
    with rounding_errors(model, seed=0):
        logits_of(model)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("dtype", HALF, ids=str)
def test_in_16_bit_one_number_in_six_of_a_linear_moves_to_its_neighbour(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    linear = torch.nn.Linear(48, 64)
    with torch.no_grad():
        linear.weight.copy_(torch.randn(64, 48, generator=generator))
        linear.to(dtype)
        inputs = torch.randn(1000, 48, generator=generator).to(dtype)
        before = linear(inputs)
        with rounding_errors(linear, seed=0):
            after = linear(inputs)
    steps = steps_between(before, after)
    mantissa = before.view(torch.int16) & (2 ** (7 if dtype is torch.bfloat16 else 10) - 1)
    between_powers_of_2 = (mantissa != 0) & (before.abs() >= torch.finfo(dtype).tiny)
    assert set(steps[between_powers_of_2].unique().tolist()) == {0, 1}
    assert steps.max() <= 2
    moved = (steps > 0).double().mean().item()
    assert abs(moved - 1 / 6) < 0.01  # 64000 numbers: seven standard deviations
    up = (after > before)[steps > 0].double().mean().item()
    assert abs(up - 1 / 2) < 0.04


def test_in_float32_every_number_moves_by_no_more_than_a_neighbour() -> None:
    linear = torch.nn.Linear(8, 8)
    inputs = torch.linspace(-2, 2, 80).reshape(10, 8)
    with torch.no_grad():
        before = linear(inputs)
        with rounding_errors(linear, seed=0):
            after = linear(inputs)
    relative = ((after.double() - before.double()) / before.double()).abs()
    eps = torch.finfo(torch.float32).eps
    assert (relative <= 1.5 * eps).all()  # an error of up to eps, rounded to a number
    assert (relative > 0).double().mean() > 0.25


class Several(torch.nn.Module):
    """Outputs of modules other than one tensor of floats."""

    def forward(self, x: torch.Tensor) -> tuple[object, ...]:
        return x, (x + 1, None), x.long(), "text"


def test_other_outputs_stay_as_they_are_and_tuples_keep_their_shape() -> None:
    x = torch.linspace(1, 2, 50)
    module = Several()
    with rounding_errors(module, seed=0):
        first, (second, nothing), whole, text = module(x)
    assert not torch.equal(first, x)
    assert not torch.equal(second, x + 1)
    assert torch.equal(whole, x.long())
    assert (nothing, text) == (None, "text")


@pytest.mark.parametrize("module", [torch.nn.Dropout(), torch.nn.Identity()], ids=repr)
def test_a_module_that_does_not_round_adds_no_error(module: torch.nn.Module) -> None:
    x = torch.linspace(1, 2, 50)
    with rounding_errors(module.eval(), seed=0):
        assert torch.equal(module(x), x)


def test_the_hooks_are_removed_after_an_exception() -> None:
    model = build_family(torch.float32)
    before = logits_of(model)
    with pytest.raises(IndexError), rounding_errors(model, seed=0):
        model(torch.tensor([[VOCAB_SIZE]]))
    assert num_hooks(model) == 0
    assert torch.equal(logits_of(model), before)


# The meter


def context_of(model: PreTrainedModel, traces: dict[RunName, Traces], *, in_float32: bool = False) -> RunContext:
    loaded = AsLoaded(model, MeasureSettings(), PAD)
    raised = InFloat32(model, MeasureSettings(), PAD, Float32View(model), {})
    return RunContext(raised if in_float32 else loaded, BATCH, traces)


def measured(model: PreTrainedModel, batches: int = 1) -> dict[str, NoiseProbe]:
    """What a meter measures in doubt: in the model's dtype, and in float32 if the model is in 16 bit."""
    meter, alone = NoiseMeter(model, seed=0), replayed(model)
    for batch in range(batches):
        some = BATCH.only(list(PROMPTS)[batch % 2]) if batches > 1 else BATCH
        meter.measure(context_of(model, {SINGLE: alone}), some, in_doubt=True)
    if model.dtype in HALF:
        with in_float32(model):
            truth = replayed(model)
            meter.add_float32(alone, truth)
            context = context_of(model, {SINGLE: alone, "single_float32": truth}, in_float32=True)
            meter.measure(context, BATCH, in_doubt=True)
    return meter.evidence()


@every_dtype
def test_every_way_measures_each_step_of_each_prompt(dtype: torch.dtype) -> None:
    model = build_family(dtype)
    if not hasattr(model, "set_attn_implementation"):
        pytest.skip("this version of transformers does not change the attention implementation of a loaded model")
    before, implementation = logits_of(model), model.config._attn_implementation
    probes = measured(model)

    twin = ["float32_twin", "float32_rounding_errors"] if dtype in HALF else []
    assert list(probes) == ["rounding_errors", *twin, "other_attention"]
    for name, probe in probes.items():
        assert probe.error is None
        assert probe.description
        prompts = [difference.prompt_index for difference in probe.differences]
        assert prompts == sorted(list(PROMPTS) * (3 if "rounding_errors" in name else 1))
        assert {difference.num_pad_tokens for difference in probe.differences} == {0}
        assert {len(difference.steps) for difference in probe.differences} == {len(NEW)}
        assert all(0 <= step.max_abs_diff < 0.5 for difference in probe.differences for step in difference.steps)
    random = probes["rounding_errors"].differences
    assert all(step.max_abs_diff > 0 for difference in random for step in difference.steps)
    assert len({difference.steps for difference in random}) == len(random) == 3 * len(PROMPTS)

    assert torch.equal(logits_of(model), before)
    assert model.config._attn_implementation == implementation
    assert num_hooks(model) == 0


@every_dtype
def test_if_not_in_doubt_16_bit_is_measured_as_often_and_float32_once(dtype: torch.dtype) -> None:
    model = build_family(dtype)
    meter = NoiseMeter(model, seed=0)
    meter.measure(context_of(model, {SINGLE: replayed(model)}), BATCH.longest())
    ways = {name: len(probe.differences) for name, probe in meter.evidence().items() if probe.error is None}
    assert ways["rounding_errors"] == (1 if dtype is torch.float32 else 3)
    assert "other_attention" not in ways or dtype in HALF


def test_state_that_a_model_keeps_from_the_last_call_does_not_count_as_rounding() -> None:
    model, last = build_family(torch.float32), [0.0]

    def leak(_model: object, _args: object, output: ModelOutput) -> None:
        kept, last[0] = last[0], float(output.logits[0, -1, 0])
        output.logits = output.logits + kept

    model.register_forward_hook(leak)
    alone = replayed(model)
    meter = NoiseMeter(model, seed=0)
    meter.measure(context_of(model, {SINGLE: alone}), BATCH, in_doubt=True)
    steps = [step for row in meter.evidence()["rounding_errors"].differences for step in row.steps]
    assert max(step.max_abs_diff for step in steps) < 1e-4


def test_batches_add_up() -> None:
    probes = measured(build_family(torch.float32), batches=2)
    assert [difference.prompt_index for difference in probes["rounding_errors"].differences] == [3] * 3 + [5] * 3


def test_a_prompt_that_is_measured_again_counts_once() -> None:
    probes = measured(build_family(torch.float32), batches=4)
    assert [difference.prompt_index for difference in probes["rounding_errors"].differences] == [3] * 3 + [5] * 3


def test_nothing_is_measured_if_no_prompt_ran_alone() -> None:
    model = build_family(torch.float32)
    meter = NoiseMeter(model, seed=0)
    meter.measure(context_of(model, {}), BATCH.only())
    assert meter.evidence() == {}


def test_the_distance_from_float32_is_that_of_the_steps_on_the_same_tokens() -> None:
    model = build_family(torch.bfloat16)
    alone = replayed(model)
    with in_float32(model):
        truth = {index: replay(model, prompt, (NEW[0], 40, NEW[2])) for index, prompt in PROMPTS.items()}
    meter = NoiseMeter(model, seed=0)
    meter.add_float32(alone, {5: truth[5]})
    [row] = meter.evidence()["float32_twin"].differences
    assert (row.prompt_index, len(row.steps)) == (5, 2)
    assert all(0 < step.max_abs_diff < 0.5 for step in row.steps)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The attention implementation of each replay that the meter asks for; all except sdpa raise."""
    seen: list[str] = []

    def broken(model: PreTrainedModel, prompt: tuple[int, ...], new: tuple[int, ...], **options: bool) -> RowTrace:
        seen.append(model.config._attn_implementation)
        if model.config._attn_implementation != "sdpa":
            raise ValueError("not with these kernels")
        return replay(model, prompt, new, **options)

    monkeypatch.setattr(forwards, "replay", broken)
    return seen


def test_a_way_that_raises_is_tried_once_and_keeps_its_error(asked: list[str]) -> None:
    model = build_family(torch.float32)
    if not hasattr(model, "set_attn_implementation"):
        pytest.skip("this version of transformers does not change the attention implementation of a loaded model")
    probes = measured(model, batches=3)
    assert asked.count("eager") == 1
    assert probes["other_attention"].error == "ValueError: not with these kernels"
    assert probes["other_attention"].differences == ()
    assert probes["rounding_errors"].error is None
    assert model.config._attn_implementation == "sdpa"
