"""How each run of `padcheck.core.run_plans` is executed."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from transformers import PreTrainedModel

from padcheck.core.padding import position_ids_from_mask
from padcheck.core.run_plans import IN_FLOAT32, SINGLE, RunName
from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls.batches import Batch, Rows
from padcheck.hf.calls.forwards import continue_from_cache, forward, replay
from padcheck.hf.calls.generation import generate, neutral_generation_config
from padcheck.hf.calls.trace import RowTrace
from padcheck.hf.float32.half_precision import HALF
from padcheck.hf.runs.attention import other_attention
from padcheck.hf.runs.differences import furthest


@dataclass(frozen=True)
class Run:
    """What an arm runs on.

    Attributes:
        model: In eval mode, with its neutral generation_config.
        batch: The prompts.
        settings: How many tokens, and how to draw them.
        own_pad_token_id: The pad id of the model's own generation_config, from which generate() infers a missing mask.
        traces: Of the arms that ran before on this batch, by arm and prompt; empty if the arm raised.
        in_float32: Whether a 16-bit model calculates in float32 now.
    """

    model: PreTrainedModel
    batch: Batch
    settings: MeasureSettings
    own_pad_token_id: int | None
    traces: dict[RunName, dict[int, RowTrace]]
    in_float32: bool = False

    @property
    def dtype(self) -> str:
        """The name of the dtype in which the model calculates now."""
        return "float32" if self.in_float32 else str(self.model.dtype).removeprefix("torch.")

    @property
    def in_half(self) -> bool:
        """True if the model calculates in 16 bit now."""
        return not self.in_float32 and self.model.dtype in HALF

    def of(self, arm: RunName) -> dict[int, RowTrace]:
        """The traces of an arm; of its float32 run while the model calculates in float32."""
        return self.traces.get(self.name_of(arm), {})

    def name_of(self, arm: RunName) -> RunName:
        """The arm to compare with in place of this one, which is its float32 run while that is the dtype."""
        return IN_FLOAT32.get(arm, arm) if self.in_float32 else arm

    def tokens(self) -> dict[int, tuple[int, ...]] | None:
        """The tokens that generate() must choose in float32, those of the 16-bit left arm; None if it is free."""
        if not self.in_float32:
            return None
        return {index: trace.generated_ids for index, trace in self.traces["left"].items()}


class Execution(NamedTuple):
    """How a run is executed.

    Attributes:
        function: Runs the prompts of a batch and gives one trace a prompt.
        prompts: The prompts that it runs on while nothing differs that should agree, padded as in its reference.
    """

    function: Callable[[Run], list[RowTrace]]
    prompts: Callable[[Batch], Batch] = Batch.pair


def _single(run: Run) -> list[RowTrace]:
    return [trace for rows in run.batch.alone() for trace in _generate(run, rows)]


def _left(run: Run) -> list[RowTrace]:
    return _generate(run, run.batch.padded("left"))


def _right(run: Run) -> list[RowTrace]:
    return _generate(run, run.batch.padded("right"))


def _generate(run: Run, rows: Rows) -> list[RowTrace]:
    return generate(run.model, rows, run.settings, forced=run.tokens())


def _left_alone(run: Run) -> list[RowTrace]:
    return [trace for row in run.batch.padded("left") for trace in _first_two(run, [row])]


def _first_two(run: Run, rows: Rows) -> list[RowTrace]:
    """Two new tokens, one of the prompt's own and one from the cache: a probe changes either or none."""
    number = min(2, run.settings.max_new_tokens)
    return generate(run.model, rows, run.settings, max_new_tokens=number, forced=run.tokens())


def _few_copies(run: Run) -> list[RowTrace]:
    return _worst_copies(run, 3 if run.batch.size == 2 else 2)  # noqa: PLR2004  another number than `batched`


def _batched(run: Run) -> list[RowTrace]:
    return _worst_copies(run, max(2, run.batch.size))


def _worst_copies(run: Run, number: int) -> list[RowTrace]:
    """Of each batch of copies the one that is furthest from the prompt alone: any row may be the faulty one."""
    alone = run.of(SINGLE)
    return [
        max(_first_two(run, rows), key=lambda copy: furthest(alone[index], copy) if index in alone else 0.0)
        for index, rows in zip(run.batch.prompts, run.batch.copies(number), strict=True)
    ]


def _scrambled(run: Run) -> list[RowTrace]:
    return _first_two(run, run.batch.scrambled())


def _left_no_mask(run: Run) -> list[RowTrace]:
    with neutral_generation_config(run.model, run.own_pad_token_id):
        return generate(run.model, run.batch.padded("left"), run.settings, max_new_tokens=1, with_mask=False)


def _forward(run: Run) -> list[RowTrace]:
    return [trace for rows in run.batch.alone() for trace in forward(run.model, rows, run.settings)]


def _replayed(run: Run) -> list[RowTrace]:
    if not run.of(SINGLE):
        raise RuntimeError("the single arm raised, so there is nothing to replay")
    alone = run.of(SINGLE)
    return [
        alone[index] if alone[index].stand_in else replay(run.model, prompt, alone[index].generated_ids)
        for index, prompt in run.batch.prompts.items()
    ]


def _left_forward(run: Run) -> list[RowTrace]:
    return forward(run.model, run.batch.padded("left"), run.settings)


def _left_forward_positions(run: Run) -> list[RowTrace]:
    return forward(run.model, run.batch.padded("left"), run.settings, positions=position_ids_from_mask)


def _left_forward_no_mask(run: Run) -> list[RowTrace]:
    return forward(run.model, run.batch.padded("left"), run.settings, with_mask=False)


def _right_continued(run: Run) -> list[RowTrace]:
    if not run.of("replayed"):
        raise RuntimeError("the replayed arm raised, so there is nothing to continue with")
    new = [run.of("replayed")[index].generated_ids for index in run.batch.prompts]
    return continue_from_cache(run.model, run.batch.padded("right"), new)


def _right_forward(run: Run) -> list[RowTrace]:
    return forward(run.model, run.batch.padded("right"), run.settings)


def _right_forward_no_mask(run: Run) -> list[RowTrace]:
    return forward(run.model, run.batch.padded("right"), run.settings, with_mask=False)


def _broken_mask(run: Run) -> list[RowTrace]:
    """Shown with the mask that it should have had."""
    traces = forward(run.model, run.batch.mask_broken(), run.settings)
    rows = run.batch.scrambled()
    return [replace(trace, padded=padded) for trace, (_, padded) in zip(traces, rows, strict=True)]


def _left_other_attention(run: Run) -> list[RowTrace]:
    with other_attention(run.model):
        return generate(run.model, run.batch.padded("left"), run.settings, max_new_tokens=1, forced=run.tokens())


def _other_positions(run: Run) -> list[RowTrace]:
    # Backwards: within the table of positions, and no model that reads them can say the same.
    def backwards(mask: tuple[int, ...]) -> tuple[int, ...]:
        return position_ids_from_mask(mask)[::-1]

    return forward(run.model, run.batch.padded("left"), run.settings, positions=backwards)


def _uncached(run: Run) -> list[RowTrace]:
    return [trace for rows in run.batch.alone() for trace in _without_cache(run, rows)]


def _left_uncached(run: Run) -> list[RowTrace]:
    return _without_cache(run, run.batch.padded("left"))


def _without_cache(run: Run, rows: Rows) -> list[RowTrace]:
    return generate(run.model, rows, run.settings, with_cache=False, forced=run.tokens())


def _shifted(run: Run) -> list[RowTrace]:
    slots = tuple(range(run.batch.width))
    return [
        trace
        for rows in run.batch.alone()
        for trace in forward(run.model, rows, run.settings, positions=lambda mask: slots[-len(mask) :])
    ]


EXECUTIONS: dict[RunName, Execution] = {
    "single": Execution(_single, Batch.few),
    "left": Execution(_left, Batch.whole),
    "right": Execution(_right, Batch.whole),
    "replayed": Execution(_replayed, Batch.whole),
    "left_float32": Execution(_left, Batch.whole),
    "single_float32": Execution(_single),
    "replayed_float32": Execution(_replayed, Batch.whole),
    "left_alone": Execution(_left_alone, Batch.shortest),
    "batched": Execution(_batched, Batch.shortest),
    "few_copies": Execution(_few_copies),
    "scrambled": Execution(_scrambled, Batch.whole),
    "left_no_mask": Execution(_left_no_mask, Batch.few),
    "forward": Execution(_forward, Batch.few),
    "left_forward": Execution(_left_forward),
    "left_forward_positions": Execution(_left_forward_positions),
    "left_forward_no_mask": Execution(_left_forward_no_mask),
    "right_forward": Execution(_right_forward, Batch.whole),
    "right_forward_no_mask": Execution(_right_forward_no_mask),
    "right_continued": Execution(_right_continued),
    "broken_mask": Execution(_broken_mask),
    "forward_again": Execution(_forward, Batch.longest),
    "uncached": Execution(_uncached),
    "left_uncached": Execution(_left_uncached),
    "left_other_attention": Execution(_left_other_attention),
    "other_positions": Execution(_other_positions),
    "shifted": Execution(_shifted),
}
"""One for each of `RUN_PLANS`."""
