"""One text after different numbers of pads: which pad counts are right, and which are not."""

import re
from itertools import chain, pairwise
from typing import NamedTuple

from transformers import PretrainedConfig

from padcheck.core.evidence import PadCount, PadCountSweep
from padcheck.core.padding import pad_ids, position_ids_from_mask
from padcheck.core.run_plans import SINGLE
from padcheck.hf.calls.batches import unpadded
from padcheck.hf.calls.forwards import takes_position_ids
from padcheck.hf.calls.logits import Logits
from padcheck.hf.library.config_facts import max_position_embeddings
from padcheck.hf.parallel.ranks import in_step
from padcheck.hf.runs.context import RunContext
from padcheck.hf.runs.differences import compare_logits

_USUAL = (*range(1, 13), 15, 16, 31, 32, 33)
"""Every small number, and the numbers around the usual sizes of kernel and cache blocks."""

_SCREENED = (1, 2, 3, 5, 7, 8, 9, 16, 17, 33)
"""The pad counts of every measurement, besides those around the model's own sizes."""

_WIDEST = (12, 24, 65)
"""The largest pad count of each call: a call with few pads is narrow, and so fast."""

_PIECE = 20
"""Tokens of a piece, at least: a shorter piece fits into one block or window, which then cannot cut it."""

_SHORTEST_PIECE = 2
"""Tokens, if the table of positions has no room for more."""

_SIZE_KEY = re.compile(r"(?i)(window|chunk|block)(_size|_len|_length)?$")
_LARGEST = 512
_LARGEST_IF_THOROUGH = 8192


def screen_pad_counts(context: RunContext, *, each_alone: bool = False) -> PadCountSweep:
    """Pieces of one text after a few pad counts, in as few calls as possible.

    All rows of a call are equally wide, so a row with more pads holds a shorter piece from the start of the text. One
    forward() over the text alone is the reference of all pieces. The text is the longest prompt, its new tokens and the
    other prompts, repeated if they are short: equal tokens may tie in a top-k selection. If a model is not causal, this
    reference may be wrong; with `each_alone` each piece is compared with a forward() over the piece alone.
    """
    index = max(context.batch.prompts, key=lambda index: len(context.batch.prompts[index]))
    sizes, counts = _sizes(context.runtime.model.config), list[PadCount]()
    try:
        with in_step():
            pieces = _pieces(context, index, sizes)
            for numbers, width in pieces.calls:
                counts += _screened(context, pieces, numbers, width, each_alone=each_alone)
    except Exception as error:  # noqa: BLE001  the runs keep their results
        message = f"{type(error).__name__}: {error}"
        return PadCountSweep(prompt_index=index, sizes=sizes, counts=tuple(counts), error=message)
    return PadCountSweep(prompt_index=index, sizes=sizes, counts=tuple(counts))


class _Pieces(NamedTuple):
    """Pieces from the start of a text: the pad counts and the width of each call, and the logits after each piece.

    `alone` starts with the logits after the `shortest` piece.
    """

    prompt_index: int
    text: tuple[int, ...]
    calls: list[tuple[list[int], int]]
    shortest: int
    alone: Logits

    def after(self, length: int) -> Logits:
        """The logits after this many tokens of the text."""
        return self.alone.only(length - self.shortest)


def _pieces(context: RunContext, index: int, sizes: dict[str, int]) -> _Pieces:
    numbers = {*_SCREENED, *(count for size in sizes.values() for count in (size - 1, size, size + 1) if count > 0)}
    room = _room(context, ())
    calls = []
    for low, high in pairwise((0, *_WIDEST)):
        wanted = sorted(number for number in numbers if low < number <= high)
        width = wanted[-1] + _PIECE if wanted else 0
        width = width if room is None else min(width, room)
        if wanted and width >= wanted[-1] + _SHORTEST_PIECE:
            calls.append((wanted, width))
    lengths = [width - number for wanted, width in calls for number in wanted] or [_SHORTEST_PIECE]
    shortest, longest = min(lengths), max(lengths)
    others = (prompt for other, prompt in context.batch.prompts.items() if other != index)
    text = tuple(chain(context.batch.prompts[index], context.of(SINGLE)[index].generated_ids, *others))
    text = (text * (longest // len(text) + 1))[:longest]
    alone = context.runtime.replay(text[:shortest], text[shortest:] + text[:1], with_positions=True)
    return _Pieces(index, text, calls, shortest, alone.logits)


def _screened(
    context: RunContext, pieces: _Pieces, numbers: list[int], width: int, *, each_alone: bool
) -> list[PadCount]:
    positions = position_ids_from_mask if takes_position_ids(context.runtime.model) else None
    texts = [pieces.text[: width - number] for number in numbers]
    rows = [(pieces.prompt_index, pad_ids(text, width, context.batch.pad_token_id, "left")) for text in texts]
    counts = []
    traces = context.runtime.forward(rows, positions=positions)
    for number, text, trace in zip(numbers, texts, traces, strict=True):
        reference = pieces.after(len(text))
        if each_alone:
            alone = [(pieces.prompt_index, unpadded(text))]
            reference = context.runtime.forward(alone, positions=positions)[0].logits
        [step] = compare_logits(reference, trace.logits)
        counts.append(PadCount(num_pad_tokens=number, step=step))
    return counts


def sweep_pad_counts(context: RunContext) -> PadCountSweep:
    """Two copies of the longest prompt of the batch after each pad count, one new token each.

    Two, since a batch of one row might take another kernel.
    """
    index = max(context.batch.prompts, key=lambda index: len(context.batch.prompts[index]))
    prompt = context.batch.prompts[index]
    reference = context.of(SINGLE)[index]
    sizes = _sizes(context.runtime.model.config)
    counts = []
    try:
        with in_step():
            for number in _counts(sizes, _room(context, prompt), thorough=context.runtime.settings.thorough):
                rows = [(index, pad_ids(prompt, number + len(prompt), context.batch.pad_token_id, "left"))] * 2
                trace = context.runtime.generate(rows, max_new_tokens=1)[-1]
                [step] = compare_logits(reference.logits.first(1), trace.logits)
                counts.append(PadCount(num_pad_tokens=number, step=step))
    except Exception as error:  # noqa: BLE001  the runs keep their results
        message = f"{type(error).__name__}: {error}"
        return PadCountSweep(prompt_index=index, sizes=sizes, counts=tuple(counts), error=message)
    return PadCountSweep(prompt_index=index, sizes=sizes, counts=tuple(counts))


def _sizes(config: PretrainedConfig) -> dict[str, int]:
    """The model's windows, blocks and chunks, by config key."""
    settings = config.get_text_config().to_dict()
    return {
        key: value
        for key, value in sorted(settings.items())
        if _SIZE_KEY.search(key) and type(value) is int and value > 1
    }


def _room(context: RunContext, prompt: tuple[int, ...]) -> int | None:
    """The most pads that the table of positions has room for; pads should not use positions, but may."""
    limit = max_position_embeddings(context.runtime.model.config.get_text_config())
    return None if limit is None else limit - len(prompt) - 1


def _counts(sizes: dict[str, int], room: int | None, *, thorough: bool) -> list[int]:
    around = {count for size in sizes.values() for count in (size - 1, size, size + 1, 2 * size)}
    largest = _LARGEST_IF_THOROUGH if thorough else _LARGEST
    largest = largest if room is None else min(largest, room)
    return sorted(number for number in {*_USUAL, *around} if 1 <= number <= largest)
