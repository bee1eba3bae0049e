"""The table of arms: what each one runs, and which arm it is read against, from which it differs in one thing."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from transformers import PreTrainedModel

from padcheck.evidence import SINGLE, PaddingSide
from padcheck.hf.attention import other_attention
from padcheck.hf.batches import Batch
from padcheck.hf.generation import (
    RowTrace,
    continue_from_cache,
    forward,
    generate,
    neutral_generation_config,
    replay,
)
from padcheck.hf.twin import Float32Twin
from padcheck.settings import MeasureSettings
from padcheck.textbook import position_ids_from_mask


@dataclass(frozen=True)
class Run:
    """What an arm is run on.

    Attributes:
        model: In eval mode, with its neutral generation_config.
        batch: The prompts.
        settings: How many tokens, and how to draw them.
        twin: The model in float32, where it is in 16 bit.
        own_pad_token_id: What the model's generation_config names, which is what generate() infers a missing mask from.
        traces: Of the arms that ran before on this batch, by arm and prompt: none where the arm raised.
    """

    model: PreTrainedModel
    batch: Batch
    settings: MeasureSettings
    twin: Float32Twin
    own_pad_token_id: int | None
    traces: dict[str, dict[int, RowTrace]]


@dataclass(frozen=True)
class ArmPlan:
    """How an arm runs its batch, and which arm it is read against.

    Attributes:
        description: What is different about it, for the report.
        reference: The arm it is compared with; None for the first reference.
        padding_side: None where nothing is padded.
        run: Runs the prompts of a batch and gives one trace a prompt.
        quick: Which prompts it still runs on where nothing differs between a batch and its prompts alone (sharing.py);
            None where it then has nothing left to tell.
        dear: Runs only where the others disagree, or when asked for.
        half_only: Runs in float32, and only where the model is in 16 bit.
    """

    description: str
    reference: str | None
    padding_side: PaddingSide | None
    run: Callable[[Run], list[RowTrace]]
    quick: Callable[[Batch], Batch] | None = Batch.few
    dear: bool = False
    half_only: bool = False


def _single(run: Run) -> list[RowTrace]:
    return [trace for rows in run.batch.alone() for trace in generate(run.model, rows, run.settings)]


def _left(run: Run) -> list[RowTrace]:
    return generate(run.model, run.batch.padded("left"), run.settings)


def _right(run: Run) -> list[RowTrace]:
    return generate(run.model, run.batch.padded("right"), run.settings)


def _left_alone(run: Run) -> list[RowTrace]:
    rows = run.batch.padded("left")
    return [trace for row in rows for trace in generate(run.model, [row], run.settings, max_new_tokens=_two(run))]


def _two(run: Run) -> int:
    """One token of the prompt's own and one from the cache: enough to see what a probe does to either."""
    return min(2, run.settings.max_new_tokens)


def _few_copies(run: Run) -> list[RowTrace]:
    return _last_copies(run, 3 if len(run.batch.prompts) == 2 else 2)  # noqa: PLR2004  another number than `batched`


def _batched(run: Run) -> list[RowTrace]:
    return _last_copies(run, max(2, len(run.batch.prompts)))


def _last_copies(run: Run, number: int) -> list[RowTrace]:
    # The last copy: what a batch has too little of (an expert's capacity) its first rows still get.
    return [generate(run.model, rows, run.settings, max_new_tokens=_two(run))[-1] for rows in run.batch.copies(number)]


def _scrambled(run: Run) -> list[RowTrace]:
    return generate(run.model, run.batch.scrambled(), run.settings, max_new_tokens=_two(run))


def _left_no_mask(run: Run) -> list[RowTrace]:
    with neutral_generation_config(run.model, run.own_pad_token_id):
        return generate(run.model, run.batch.padded("left"), run.settings, max_new_tokens=1, with_mask=False)


def _forward(run: Run) -> list[RowTrace]:
    return [trace for rows in run.batch.alone() for trace in forward(run.model, rows, run.settings)]


def _replayed(run: Run) -> list[RowTrace]:
    if not run.traces[SINGLE]:
        raise RuntimeError("the single arm raised, so there is nothing to replay")
    return [
        replay(run.model, prompt, run.traces[SINGLE][index].generated_ids)
        for index, prompt in run.batch.prompts.items()
    ]


def _left_forward(run: Run) -> list[RowTrace]:
    return forward(run.model, run.batch.padded("left"), run.settings)


def _left_forward_positions(run: Run) -> list[RowTrace]:
    return forward(run.model, run.batch.padded("left"), run.settings, positions=position_ids_from_mask)


def _left_forward_no_mask(run: Run) -> list[RowTrace]:
    return forward(run.model, run.batch.padded("left"), run.settings, with_mask=False)


def _right_continued(run: Run) -> list[RowTrace]:
    if not run.traces["replayed"]:
        raise RuntimeError("the replayed arm raised, so there is nothing to continue with")
    new = [run.traces["replayed"][index].generated_ids for index in run.batch.prompts]
    return continue_from_cache(run.model, run.batch.padded("right"), new)


def _single_float32(run: Run) -> list[RowTrace]:
    return [trace for rows in run.batch.alone() for trace in generate(run.twin.model(), rows, run.settings)]


def _left_float32(run: Run) -> list[RowTrace]:
    return generate(run.twin.model(), run.batch.padded("left"), run.settings)


def _forward_float32(run: Run) -> list[RowTrace]:
    return [trace for rows in run.batch.alone() for trace in forward(run.twin.model(), rows, run.settings)]


def _right_float32(run: Run) -> list[RowTrace]:
    return forward(run.twin.model(), run.batch.padded("right"), run.settings)


def _broken_mask_float32(run: Run) -> list[RowTrace]:
    return _with_broken_mask(run.twin.model(), run)


def _right_forward_no_mask(run: Run) -> list[RowTrace]:
    return forward(run.model, run.batch.padded("right"), run.settings, with_mask=False)


def _left_other_attention(run: Run) -> list[RowTrace]:
    with other_attention(run.model):
        return generate(run.model, run.batch.padded("left"), run.settings, max_new_tokens=1)


def _other_positions(run: Run) -> list[RowTrace]:
    # Backwards: within the table of positions, and no model that reads them can say the same.
    def backwards(mask: tuple[int, ...]) -> tuple[int, ...]:
        return position_ids_from_mask(mask)[::-1]

    return forward(run.model, run.batch.padded("left"), run.settings, positions=backwards)


def _right_forward(run: Run) -> list[RowTrace]:
    return forward(run.model, run.batch.padded("right"), run.settings)


def _broken_mask(run: Run) -> list[RowTrace]:
    return _with_broken_mask(run.model, run)


def _with_broken_mask(model: PreTrainedModel, run: Run) -> list[RowTrace]:
    return under_own_mask(forward(model, run.batch.mask_broken(), run.settings), run.batch)


def under_own_mask(traces: list[RowTrace], batch: Batch) -> list[RowTrace]:
    """What ran with the mask broken, shown with the mask that it should have had."""
    rows = batch.scrambled()
    return [replace(trace, padded=padded) for trace, (_, padded) in zip(traces, rows, strict=True)]


def _uncached(run: Run) -> list[RowTrace]:
    return [trace for rows in run.batch.alone() for trace in generate(run.model, rows, run.settings, with_cache=False)]


def _left_uncached(run: Run) -> list[RowTrace]:
    return generate(run.model, run.batch.padded("left"), run.settings, with_cache=False)


def _shifted(run: Run) -> list[RowTrace]:
    slots = tuple(range(run.batch.width))
    return [
        trace
        for rows in run.batch.alone()
        for trace in forward(run.model, rows, run.settings, positions=lambda mask: slots[-len(mask) :])
    ]


PLANS = {
    SINGLE: ArmPlan("each prompt alone", None, None, _single),
    "left": ArmPlan("the left-padded batch", SINGLE, "left", _left),
    "right": ArmPlan("the right-padded batch", SINGLE, "right", _right),
    "left_alone": ArmPlan("each padded prompt in a batch of one", SINGLE, "left", _left_alone, quick=Batch.shortest),
    "few_copies": ArmPlan("a few copies of one prompt, nothing padded", SINGLE, None, _few_copies, quick=None),
    "batched": ArmPlan("a batch of copies of one prompt, nothing padded", SINGLE, None, _batched, quick=None),
    "scrambled": ArmPlan("left, other ids under the mask", "left", "left", _scrambled),
    "left_no_mask": ArmPlan("left, no attention_mask", "left", "left", _left_no_mask),
    "forward": ArmPlan("forward(), each prompt alone", SINGLE, None, _forward),
    "replayed": ArmPlan("forward() over prompt and new tokens, no cache", SINGLE, None, _replayed),
    "left_forward": ArmPlan("left, forward(), no position_ids", "forward", "left", _left_forward),
    "left_forward_positions": ArmPlan(
        "left, forward(), position_ids from mask", "forward", "left", _left_forward_positions
    ),
    "left_forward_no_mask": ArmPlan(
        "left, forward(), no attention_mask", "left_forward", "left", _left_forward_no_mask
    ),
    "right_forward": ArmPlan("right, forward(), last real token", "forward", "right", _right_forward),
    "right_forward_no_mask": ArmPlan(
        "right, forward(), no attention_mask", "right_forward", "right", _right_forward_no_mask
    ),
    "right_continued": ArmPlan("right, the second token from the cache", "replayed", "right", _right_continued),
    "broken_mask": ArmPlan("the mask broken on purpose", "left_forward", "left", _broken_mask),
    "forward_again": ArmPlan("forward(), each prompt alone, once more", "forward", None, _forward),
    "single_float32": ArmPlan("in float32, each prompt alone", None, None, _single_float32, half_only=True),
    "left_float32": ArmPlan(
        "in float32, the left-padded batch", "single_float32", "left", _left_float32, half_only=True
    ),
    "forward_float32": ArmPlan(
        "in float32, forward(), each prompt alone", "single_float32", None, _forward_float32, half_only=True
    ),
    "right_float32": ArmPlan(
        "in float32, right, forward(), last real token", "forward_float32", "right", _right_float32, half_only=True
    ),
    "broken_mask_float32": ArmPlan(
        "in float32, the mask broken on purpose", "forward_float32", "left", _broken_mask_float32, half_only=True
    ),
    "uncached": ArmPlan("each prompt alone, no cache", SINGLE, None, _uncached, dear=True),
    "left_uncached": ArmPlan("the left-padded batch, no cache", "uncached", "left", _left_uncached, dear=True),
    "left_other_attention": ArmPlan(
        "left, the other attention implementation", SINGLE, "left", _left_other_attention, dear=True
    ),
    "other_positions": ArmPlan(
        "left, forward(), positions backwards", "left_forward", "left", _other_positions, dear=True
    ),
    "shifted": ArmPlan("forward(), alone, positions as behind pads", "left", "left", _shifted, dear=True),
}
"""The arms in the order in which they run: the first three are generated whole, the rest are probes of one step."""
