"""How each mode of `padcheck.core.run_plans` runs: each prompt alone, and the left-padded batch."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from padcheck.core.modes import ModeName
from padcheck.core.padding import PaddedIds, pad_ids
from padcheck.core.run_plans import MODES, SINGLE, RunName
from padcheck.hf.calls import modes
from padcheck.hf.calls.batches import Batch, Rows
from padcheck.hf.calls.trace import RowTrace
from padcheck.hf.library.exceptions import NotOpenError
from padcheck.hf.runs.context import RunContext
from padcheck.hf.runs.execution import Execution

_Generate = Callable[[RunContext, Rows], list[RowTrace]]
"""Generates for rows of one width, padded or not; one trace a row."""


class _Way(NamedTuple):
    """How a mode generates, and for which prompts of a batch."""

    generate: _Generate
    prompts: Callable[[Batch], Batch] = Batch.whole


def _no_cache(context: RunContext, rows: Rows) -> list[RowTrace]:
    return context.runtime.generate(rows, with_cache=False)


def _in(mode: modes.Mode) -> _Generate:
    return lambda context, rows: context.runtime.generate(rows, mode=mode)


def _with_two_tokens(batch: Batch) -> Batch:
    return batch.only(*(index for index, ids in batch.prompts.items() if len(ids) > 1))


def _second_turn(context: RunContext, rows: Rows) -> list[RowTrace]:
    """Half of each prompt is the first turn, and the rest the second one. Each turn is padded on the left.

    So the second turn ends with the logits that the whole prompt has alone.
    """
    if not rows:
        return []  # every prompt of the batch has only one token
    turns = {index: _halves(padded) for index, padded in rows}
    widths = [max(map(len, turn)) for turn in zip(*turns.values(), strict=True)]
    pad = context.batch.pad_token_id
    in_turns = [
        (index, _joined(*(pad_ids(turn, width, pad, "left") for turn, width in zip(both, widths, strict=True))))
        for index, both in turns.items()
    ]
    return context.runtime.generate(in_turns, mode=modes.second_turn(widths[0]))


def _halves(padded: PaddedIds) -> tuple[tuple[int, ...], tuple[int, ...]]:
    ids = tuple(token_id for token_id, real in zip(*padded, strict=True) if real)
    return ids[: len(ids) // 2], ids[len(ids) // 2 :]


def _joined(first: PaddedIds, second: PaddedIds) -> PaddedIds:
    return PaddedIds(first.input_ids + second.input_ids, first.attention_mask + second.attention_mask)


def _assisted(context: RunContext, rows: Rows) -> list[RowTrace]:
    """Each row in a batch of one, since transformers checks drafts of one row only; the pads stay."""
    alone = context.of(SINGLE)
    if not alone:
        raise NotOpenError("the run single raised, so there is nothing to draft")
    return [
        _without_positions(trace)
        for index, padded in rows
        for trace in context.runtime.generate([(index, padded)], mode=modes.assisted(alone[index].generated_ids))
    ]


def _without_positions(trace: RowTrace) -> RowTrace:
    """A call takes several columns, and some of them again, so it is unknown which position belongs to which."""
    unknown = (None,) * len(trace.position_ids)
    return replace(trace, position_ids=unknown, positions_used=(), positions_used_by=None)


_WAYS: dict[ModeName, _Way] = {
    "static-cache": _Way(_in(modes.static_cache)),
    "second-turn": _Way(_second_turn, _with_two_tokens),
    "no-cache": _Way(_no_cache),
    "chunked-prefill": _Way(_in(modes.chunked_prefill)),
    "inputs-embeds": _Way(_in(modes.inputs_embeds)),
    "assisted": _Way(_assisted),
}
"""One for each of `MODES`."""


def _alone(generate: _Generate, context: RunContext) -> list[RowTrace]:
    return [trace for rows in context.batch.alone() for trace in generate(context, rows)]


def _left(generate: _Generate, context: RunContext) -> list[RowTrace]:
    return generate(context, context.batch.padded("left"))


EXECUTIONS_OF_MODES: dict[RunName, Execution] = {
    run: Execution(partial(function, way.generate), way.prompts)
    for name, way in _WAYS.items()
    for run, function in ((MODES[name].alone, _alone), (MODES[name].left, _left))
}
"""The two runs of each mode."""
