"""How far rounding alone moves the logits: the unpadded run again, in ways that are the same in exact arithmetic."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedModel

from padcheck.evidence import NoiseProbe, RowDifference
from padcheck.hf.attention import other_attention
from padcheck.hf.batches import Batch
from padcheck.hf.capture import captured_warnings
from padcheck.hf.differences import compare_logits
from padcheck.hf.generation import RowTrace, replay
from padcheck.hf.ranks import in_step
from padcheck.hf.twin import HALF, Float32Twin, error_text

_Pairs = Iterator[tuple[list[RowTrace], list[RowTrace]]]
_Way = Callable[[Batch, list[RowTrace]], _Pairs]
"""References and traces, a pair a run, from a batch and its run without any change."""
_RUNS = 3
_SEEDS = 1009
"""How far the seeds of two modules lie apart: more than there are runs."""
_NO_ROUNDING = (torch.nn.Dropout, torch.nn.Identity)
_DESCRIPTIONS = {
    "rounding_errors": f"random rounding errors on every module's output, {_RUNS} times",
    "float32_twin": "the same weights in float32",
    "float32_rounding_errors": f"random rounding errors in float32, {_RUNS} times",
    "other_attention": "the other attention implementation",
}


class NoiseMeter:
    """Measures rounding batch after batch; a way that is not open to this model is asked once and says why.

    Each prompt is replayed alone, with its new tokens behind it, so no padding and no batch can enter:

    - with random errors of the dtype's precision on the output of every module, several times: Monte Carlo arithmetic
      (Parker, 1997), which sees what a duplicated batch on the same kernels cannot;
    - in float32, where the model itself is in 16 bit and a copy fits into memory; and there with random errors again,
      since what runs in float32 has a floor of its own;
    - with the other attention implementation.
    """

    def __init__(self, model: PreTrainedModel, twin: Float32Twin, seed: int) -> None:
        self._model = model
        self._twin = twin
        self._seed = seed
        self._differences: dict[str, list[RowDifference]] = {}
        self._errors: dict[str, str] = {}

    def measure(self, batch: Batch, replayed: list[RowTrace]) -> None:
        """Adds one batch; `replayed` is the run without any change, empty where it raised."""
        if not replayed:
            return
        for name, way in self._ways().items():
            if name in self._errors:
                continue
            try:
                with in_step(), captured_warnings():
                    for references, traces in way(batch, replayed):
                        self._differences.setdefault(name, []).extend(_differences(batch, references, traces))
            except Exception as error:  # noqa: BLE001  a way that a model does not go says nothing about it
                self._errors[name] = error_text(error)

    def evidence(self) -> dict[str, NoiseProbe]:
        """What each way gave, over all batches."""
        return {
            name: NoiseProbe(
                description=_DESCRIPTIONS[name],
                differences=tuple(self._differences.get(name, ())),
                error=self._errors.get(name),
            )
            for name in self._ways()
            if name in self._differences or name in self._errors
        }

    def _ways(self) -> dict[str, _Way]:
        twin: dict[str, _Way] = {
            "float32_twin": self._in_float32,
            "float32_rounding_errors": self._with_errors_in_float32,
        }
        return {
            "rounding_errors": partial(self._perturbed, self._model),
            **(twin if self._model.dtype in HALF else {}),
            "other_attention": self._with_other_attention,
        }

    def _in_float32(self, batch: Batch, replayed: list[RowTrace]) -> _Pairs:
        yield replayed, _replay(self._twin.model(), batch, replayed)

    def _with_errors_in_float32(self, batch: Batch, replayed: list[RowTrace]) -> _Pairs:
        twin = self._twin.model()
        return self._perturbed(twin, batch, _replay(twin, batch, replayed))

    def _perturbed(self, model: PreTrainedModel, batch: Batch, references: list[RowTrace]) -> _Pairs:
        for run in range(_RUNS):
            with rounding_errors(model, self._seed + run):
                traces = _replay(model, batch, references)
            yield references, traces

    def _with_other_attention(self, batch: Batch, replayed: list[RowTrace]) -> _Pairs:
        with other_attention(self._model):
            traces = _replay(self._model, batch, replayed)
        yield replayed, traces


def _differences(batch: Batch, references: list[RowTrace], traces: list[RowTrace]) -> Iterator[RowDifference]:
    for index, reference, trace in zip(batch.prompts, references, traces, strict=True):
        steps = compare_logits(reference.logits, trace.logits)
        yield RowDifference(prompt_index=index, num_pad_tokens=0, steps=steps)


def _replay(model: PreTrainedModel, batch: Batch, replayed: list[RowTrace]) -> list[RowTrace]:
    return [
        replay(model, prompt, trace.generated_ids)
        for prompt, trace in zip(batch.prompts.values(), replayed, strict=True)
    ]


@contextmanager
def rounding_errors(model: torch.nn.Module, seed: int) -> Iterator[None]:
    """Within the context each module without children adds random errors of its dtype's precision to its output.

    In 16 bit, where a module rounds its output once, one number in six moves to its neighbour: the mean square, 1/6 of
    their squared distance, is that of the difference of two independent roundings. In float32 and float64 the order
    of the sums inside the module counts for more, and each number moves by up to one such distance.

    Each module has draws of its own: where a model is spread over ranks, those of a layer whose parts differ in size
    must not set the ranks apart in a layer that all of them have whole.
    """
    generators: dict[tuple[int, torch.device], torch.Generator] = {}

    def perturbed(number: int, output: Any) -> Any:
        if isinstance(output, tuple):
            return tuple(perturbed(number, part) for part in output)
        if not isinstance(output, torch.Tensor) or not output.is_floating_point():
            return output
        key = (number, output.device)
        if key not in generators:
            generators[key] = torch.Generator(output.device).manual_seed(seed + _SEEDS * number)
        wide = torch.promote_types(output.dtype, torch.float32)
        draw = torch.rand(output.shape, generator=generators[key], device=output.device, dtype=wide).mul_(2).sub_(1)
        if output.dtype in HALF:
            # 3/4 of the relative distance at 1 is nearest to one neighbour wherever a number lies between powers of 2.
            draw = draw.sign().mul_(draw.abs() < 1 / 6).mul_(0.75)
        # In place: with a large vocabulary each copy is as large as the rest of the run.
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
