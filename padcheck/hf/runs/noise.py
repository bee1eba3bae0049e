"""How far rounding alone moves the logits: the unpadded run again, in ways that exact arithmetic would not notice."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedModel

from padcheck.core.evidence import NoiseProbe
from padcheck.core.run_plans import SINGLE
from padcheck.core.run_results import RowDifference
from padcheck.hf.calls.batches import Batch
from padcheck.hf.calls.capture import captured_warnings
from padcheck.hf.calls.logits import Logits
from padcheck.hf.calls.trace import RowTrace
from padcheck.hf.float32.half_precision import HALF
from padcheck.hf.library.exceptions import error_text
from padcheck.hf.parallel.ranks import in_step
from padcheck.hf.runs.attention import other_attention
from padcheck.hf.runs.context import RunContext, Traces
from padcheck.hf.runs.differences import compare_logits, shared_steps

_REPEATS = 3
_SEED_STEP = 1009
"""The distance between the seeds of two modules: more than the number of repeats, so that no two draws are equal."""
_NO_ROUNDING = (torch.nn.Dropout, torch.nn.Identity)
_DESCRIPTIONS = {
    "rounding_errors": "random rounding errors on every module's output",
    "float32_twin": "the same weights in float32",
    "float32_rounding_errors": "random rounding errors in float32",
    "other_attention": "the other attention implementation",
}
_Replay = Callable[[], RowTrace]
"""Replays a prompt alone, with the tokens that it chose."""
_Way = Callable[[_Replay], Iterator[RowTrace]]
"""Yields the unchanged trace first, then each changed one."""


class NoiseMeter:
    """Measures rounding batch after batch; a way that does not work for this model is tried once and keeps its reason.

    Each prompt is replayed alone with its new tokens, so neither padding nor a batch has any influence:

    - with random errors of the dtype's precision on the output of every module, several times: Monte Carlo arithmetic
      (Parker, 1997), which shows what a batch of copies on the same kernels cannot;
    - with the other attention implementation;
    - in float32, if the model is in 16 bit; and there with random errors again, since float32 rounds too.
    """

    def __init__(self, model: PreTrainedModel, seed: int) -> None:
        self._model = model
        self._seed = seed
        self._differences: dict[str, dict[int, tuple[RowDifference, ...]]] = {}
        self._errors: dict[str, str] = {}

    def measure(self, context: RunContext, batch: Batch, *, in_doubt: bool = False) -> None:
        """Adds prompts that ran alone, in the dtype that the model calculates in now.

        In float32 the smallest allowance nearly always covers rounding. So the random errors run only once, and the
        other attention implementation does not run, unless the batch is `in_doubt`.
        """
        runtime = context.runtime
        if not batch.prompts:
            return
        often = in_doubt or runtime.in_half
        ways: dict[str, _Way] = {"rounding_errors": partial(self._perturbed, _REPEATS if often else 1)}
        if often:
            ways["other_attention"] = self._with_other_attention
        if runtime.in_float32:
            ways = {"float32_rounding_errors": ways["rounding_errors"]}
        for name, way in ways.items():
            if name in self._errors:
                continue
            try:
                with in_step(), captured_warnings():
                    for index, prompt in batch.prompts.items():
                        tokens = context.of(SINGLE)[index].generated_ids
                        self._add(name, index, way(partial(runtime.replay, prompt, tokens)))
            except Exception as error:  # noqa: BLE001  that a way does not work says nothing about the model
                self._errors[name] = error_text(error)

    def add_float32(self, alone: Traces, in_float32: Traces) -> None:
        """Adds the distance between the prompts alone in 16 bit and in float32, up to the first different token."""
        both = [index for index in alone if index in in_float32]
        pairs = [shared_steps(alone[index], in_float32[index]) for index in both]
        self._differences.setdefault("float32_twin", {}).update(
            {
                index: (_difference(index, expected, actual),)
                for index, (expected, actual) in zip(both, pairs, strict=True)
            }
        )

    def evidence(self) -> dict[str, NoiseProbe]:
        """The result of each way, over all batches."""
        return {
            name: NoiseProbe(
                description=description,
                differences=tuple(each for found in self._differences.get(name, {}).values() for each in found),
                error=self._errors.get(name),
            )
            for name, description in _DESCRIPTIONS.items()
            if name in self._differences or name in self._errors
        }

    def _add(self, name: str, index: int, traces: Iterator[RowTrace]) -> None:
        """The first trace is the reference. A prompt that is measured again replaces its earlier result."""
        unchanged = next(traces)
        self._differences.setdefault(name, {})[index] = tuple(
            _difference(index, unchanged.logits, changed.logits) for changed in traces
        )

    def _perturbed(self, repeats: int, replay: _Replay) -> Iterator[RowTrace]:
        yield _settled(replay)
        for repeat in range(repeats):
            with rounding_errors(self._model, self._seed + repeat):
                changed = replay()
            yield changed

    def _with_other_attention(self, replay: _Replay) -> Iterator[RowTrace]:
        yield _settled(replay)
        with other_attention(self._model):
            changed = replay()
        yield changed


def _settled(replay: _Replay) -> RowTrace:
    """The unchanged prompt, run twice: like the changed ones, it then follows a call with the same prompt.

    A model may keep state from the call before, and that is not rounding.
    """
    replay()
    return replay()


def _difference(index: int, reference: Logits, logits: Logits) -> RowDifference:
    return RowDifference(prompt_index=index, num_pad_tokens=0, steps=compare_logits(reference, logits))


@contextmanager
def rounding_errors(model: torch.nn.Module, seed: int) -> Iterator[None]:
    """Within the context each module without children adds random errors of its dtype's precision to its output.

    In 16 bit a module rounds its output once, so one number in six moves to its neighbour: the mean square, 1/6 of
    their squared distance, is that of the difference of two independent roundings. In float32 and float64 the order of
    the sums inside the module matters more, so each number moves by up to one such distance.

    Each module has its own random generator. If a model is spread over ranks, a layer whose parts differ in size
    between ranks would otherwise make them draw different errors in the layers that each of them holds whole.
    """
    generators: dict[tuple[int, torch.device], torch.Generator] = {}

    def perturbed(number: int, output: Any) -> Any:
        if isinstance(output, tuple):
            return tuple(perturbed(number, part) for part in output)
        if not isinstance(output, torch.Tensor) or not output.is_floating_point():
            return output
        key = (number, output.device)
        if key not in generators:
            generators[key] = torch.Generator(output.device).manual_seed(seed + _SEED_STEP * number)
        wide = torch.promote_types(output.dtype, torch.float32)
        draw = torch.rand(output.shape, generator=generators[key], device=output.device, dtype=wide).mul_(2).sub_(1)
        if output.dtype in HALF:
            # 3/4 of the relative distance at 1 rounds to the neighbour wherever a number lies between two powers of 2.
            draw = draw.sign().mul_(draw.abs() < 1 / 6).mul_(0.75)
        # In place: with a large vocabulary each copy is as large as all other memory of the run.
        return draw.mul_(torch.finfo(output.dtype).eps).add_(1).mul_(output).to(output.dtype)

    handles = [
        module.register_forward_hook(lambda _module, _args, output, number=number: perturbed(number, output))
        for number, module in enumerate(model.modules())
        if not any(module.children()) and not isinstance(module, _NO_ROUNDING)
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
