"""How each run of `padcheck.core.run_plans` is executed, and on which prompts."""

from dataclasses import replace
from functools import partial

from padcheck.core.padding import position_ids_from_mask
from padcheck.core.run_plans import SINGLE, RunName
from padcheck.hf.calls.batches import Batch, Rows
from padcheck.hf.calls.trace import RowTrace
from padcheck.hf.runs.attention import other_attention, require_packing
from padcheck.hf.runs.context import RunContext
from padcheck.hf.runs.differences import furthest
from padcheck.hf.runs.execution import Execution
from padcheck.hf.runs.modes import EXECUTIONS_OF_MODES


def _single(context: RunContext) -> list[RowTrace]:
    return [trace for rows in context.batch.alone() for trace in context.runtime.generate(rows)]


def _left(context: RunContext) -> list[RowTrace]:
    return context.runtime.generate(context.batch.padded("left"))


def _right(context: RunContext) -> list[RowTrace]:
    return context.runtime.generate(context.batch.padded("right"))


def _left_alone(context: RunContext) -> list[RowTrace]:
    # All new tokens if that is worth the time: a model may change what it does at a length that a later token reaches.
    all_tokens = context.in_doubt or context.runtime.settings.thorough
    generate = context.runtime.generate if all_tokens else partial(_first_two, context)
    return [trace for row in context.batch.padded("left") for trace in generate([row])]


def _first_two(context: RunContext, rows: Rows) -> list[RowTrace]:
    """Two new tokens, one from the prompt and one from the cache: a fault shows in one of them."""
    return context.runtime.generate(rows, max_new_tokens=min(2, context.runtime.settings.max_new_tokens))


def _few_copies(context: RunContext) -> list[RowTrace]:
    # Another number of copies than `batched` has.
    return _worst_copies(context, 3 if context.batch.size == 2 else 2)  # noqa: PLR2004


def _batched(context: RunContext) -> list[RowTrace]:
    return _worst_copies(context, max(2, context.batch.size))


def _worst_copies(context: RunContext, number: int) -> list[RowTrace]:
    """For each prompt the copy furthest from the prompt alone, since any row of a batch may be the wrong one."""
    alone = context.of(SINGLE)
    return [
        max(_first_two(context, rows), key=lambda copy: furthest(alone[index], copy) if index in alone else 0.0)
        for index, rows in zip(context.batch.prompts, context.batch.copies(number), strict=True)
    ]


def _scrambled(context: RunContext) -> list[RowTrace]:
    return _first_two(context, context.batch.scrambled())


def _left_no_mask(context: RunContext) -> list[RowTrace]:
    return context.runtime.generate(context.batch.padded("left"), max_new_tokens=1, with_mask=False)


def _forward(context: RunContext) -> list[RowTrace]:
    return [trace for rows in context.batch.alone() for trace in context.runtime.forward(rows)]


def _replayed(context: RunContext) -> list[RowTrace]:
    alone = context.of(SINGLE)
    if not alone:
        raise RuntimeError("the run single raised, so there is nothing to replay")
    return [
        alone[index] if alone[index].stand_in else context.runtime.replay(prompt, alone[index].generated_ids)
        for index, prompt in context.batch.prompts.items()
    ]


def _left_forward(context: RunContext) -> list[RowTrace]:
    return context.runtime.forward(context.batch.padded("left"))


def _left_forward_positions(context: RunContext) -> list[RowTrace]:
    return context.runtime.forward(context.batch.padded("left"), positions=position_ids_from_mask)


def _left_forward_no_mask(context: RunContext) -> list[RowTrace]:
    return context.runtime.forward(context.batch.padded("left"), with_mask=False)


def _right_continued(context: RunContext) -> list[RowTrace]:
    replayed = context.of("replayed")
    if not replayed:
        raise RuntimeError("the run replayed raised, so there is nothing to continue with")
    new = [replayed[index].generated_ids for index in context.batch.prompts]
    return context.runtime.continue_from_cache(context.batch.padded("right"), new)


def _packed(context: RunContext) -> list[RowTrace]:
    require_packing(context.runtime.model)
    prompts = context.batch.prompts
    # The shortest last: the fewer tokens it has, the more a leak from the prompts before it changes it.
    ordered = {index: prompts[index] for index in sorted(prompts, key=lambda index: -len(prompts[index]))}
    traces = dict(zip(ordered, context.runtime.packed(ordered), strict=True))
    return [traces[index] for index in prompts]


def _right_forward(context: RunContext) -> list[RowTrace]:
    return context.runtime.forward(context.batch.padded("right"))


def _right_forward_no_mask(context: RunContext) -> list[RowTrace]:
    return context.runtime.forward(context.batch.padded("right"), with_mask=False)


def _broken_mask(context: RunContext) -> list[RowTrace]:
    """The rows are reported with the mask that they should have had."""
    traces = context.runtime.forward(context.batch.mask_broken())
    rows = context.batch.scrambled()
    return [replace(trace, padded=padded) for trace, (_, padded) in zip(traces, rows, strict=True)]


def _left_other_attention(context: RunContext) -> list[RowTrace]:
    with other_attention(context.runtime.model):
        return context.runtime.generate(context.batch.padded("left"), max_new_tokens=1)


def _other_positions(context: RunContext) -> list[RowTrace]:
    # Backwards: within the table of positions, and a model that uses positions cannot give the same.
    def backwards(mask: tuple[int, ...]) -> tuple[int, ...]:
        return position_ids_from_mask(mask)[::-1]

    return context.runtime.forward(context.batch.padded("left"), positions=backwards)


def _shifted(context: RunContext) -> list[RowTrace]:
    slots = tuple(range(context.batch.width))
    return [
        trace
        for rows in context.batch.alone()
        for trace in context.runtime.forward(rows, positions=lambda mask: slots[-len(mask) :])
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
    "packed": Execution(_packed),
    "broken_mask": Execution(_broken_mask),
    "forward_again": Execution(_forward, Batch.longest),
    "left_other_attention": Execution(_left_other_attention),
    "other_positions": Execution(_other_positions),
    "shifted": Execution(_shifted),
    **EXECUTIONS_OF_MODES,
}
"""One for each of `RUN_PLANS`."""
