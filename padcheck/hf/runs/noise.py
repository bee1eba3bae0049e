"""How far rounding alone moves the logits: the unpadded run again, in ways that are the same in exact arithmetic."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedModel

from padcheck.core.evidence import NoiseProbe, RowDifference
from padcheck.core.run_plans import SINGLE
from padcheck.hf.calls.batches import Batch
from padcheck.hf.calls.capture import captured_warnings
from padcheck.hf.calls.forwards import replay
from padcheck.hf.calls.logits import Logits
from padcheck.hf.calls.trace import RowTrace
from padcheck.hf.float32.view import HALF, error_text
from padcheck.hf.parallel.ranks import in_step
from padcheck.hf.runs.attention import other_attention
from padcheck.hf.runs.differences import compare_logits, shared_steps
from padcheck.hf.runs.table import Run

_RUNS = 3
_SEEDS = 1009
"""How far the seeds of two modules lie apart: more than there are runs."""
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
"""Gives the trace without any change, and that of each run with one."""


class NoiseMeter:
    """Measures rounding batch after batch; a way that this model does not have is asked once and says why.

    Each prompt is replayed alone, with its new tokens behind it, so no padding and no batch can enter:

    - with random errors of the dtype's precision on the output of every module, several times: Monte Carlo arithmetic
      (Parker, 1997), which sees what a duplicated batch on the same kernels cannot;
    - with the other attention implementation;
    - in float32, if the model is in 16 bit; and there with random errors again, since float32 has a floor too.
    """

    def __init__(self, model: PreTrainedModel, seed: int) -> None:
        self._model = model
        self._seed = seed
        self._differences: dict[str, dict[int, tuple[RowDifference, ...]]] = {}
        self._errors: dict[str, str] = {}

    def measure(self, run: Run, batch: Batch, *, in_doubt: bool = False) -> None:
        """Adds prompts that ran alone, in the dtype in which the model calculates now.

        In float32 the least allowance covers rounding almost always, so that the random errors run once and the other
        attention implementation not at all, unless something is `in_doubt`.
        """
        if not batch.prompts:
            return
        often = in_doubt or run.in_half
        ways: dict[str, _Way] = {"rounding_errors": partial(self._perturbed, _RUNS if often else 1)}
        if often:
            ways["other_attention"] = self._with_other_attention
        if run.in_float32:
            ways = {"float32_rounding_errors": ways["rounding_errors"]}
        for name, way in ways.items():
            if name in self._errors:
                continue
            try:
                with in_step(), captured_warnings():
                    for index, prompt in batch.prompts.items():
                        self._add(
                            name, index, way(partial(replay, self._model, prompt, run.of(SINGLE)[index].generated_ids))
                        )
            except Exception as error:  # noqa: BLE001  a way that a model does not have says nothing about it
                self._errors[name] = error_text(error)

    def add_float32(self, alone: dict[int, RowTrace], in_float32: dict[int, RowTrace]) -> None:
        """Adds the distance of the prompts alone from the same in float32, up to the first other token."""
        both = [index for index in alone if index in in_float32]
        pairs = [shared_steps(alone[index], in_float32[index]) for index in both]
        self._differences.setdefault("float32_twin", {}).update(
            {
                index: (_difference(index, expected, actual),)
                for index, (expected, actual) in zip(both, pairs, strict=True)
            }
        )

    def evidence(self) -> dict[str, NoiseProbe]:
        """What each way gave, over all batches."""
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
        """The first trace is the reference. A prompt that is measured again replaces what it gave before."""
        unchanged = next(traces)
        self._differences.setdefault(name, {})[index] = tuple(
            _difference(index, unchanged.logits, changed.logits) for changed in traces
        )

    def _perturbed(self, runs: int, run_again: _Replay) -> Iterator[RowTrace]:
        yield _settled(run_again)
        for run in range(runs):
            with rounding_errors(self._model, self._seed + run):
                changed = run_again()
            yield changed

    def _with_other_attention(self, run_again: _Replay) -> Iterator[RowTrace]:
        yield _settled(run_again)
        with other_attention(self._model):
            changed = run_again()
        yield changed


def _settled(run_again: _Replay) -> RowTrace:
    """The prompt without any change, right after itself, as the runs that change something come after it.

    A model may keep something of the call before, and that is not rounding.
    """
    run_again()
    return run_again()


def _difference(index: int, reference: Logits, logits: Logits) -> RowDifference:
    return RowDifference(prompt_index=index, num_pad_tokens=0, steps=compare_logits(reference, logits))


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
