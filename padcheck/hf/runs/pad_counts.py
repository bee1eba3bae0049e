"""One text behind ever more pads: which numbers of them are harmless, and which are not."""

import re
from itertools import pairwise
from typing import NamedTuple

from transformers import PretrainedConfig

from padcheck.core.evidence import PadCount, PadCountSweep
from padcheck.core.padding import pad_ids, position_ids_from_mask
from padcheck.core.run_plans import SINGLE
from padcheck.hf.calls.batches import unpadded
from padcheck.hf.calls.forwards import forward, replay, takes_position_ids
from padcheck.hf.calls.generation import generate
from padcheck.hf.calls.logits import Logits
from padcheck.hf.library.config_facts import max_position_embeddings
from padcheck.hf.parallel.ranks import in_step
from padcheck.hf.runs.differences import compare_logits
from padcheck.hf.runs.table import Run

_USUAL = (*range(1, 13), 15, 16, 31, 32, 33)
"""Every small number, and what stands around the sizes that kernels and caches are cut into."""

_SCREENED = (1, 2, 3, 5, 7, 8, 9, 16, 17, 33)
"""What every run looks at, beside the model's own sizes."""

_WIDEST = (12, 24, 65)
"""The largest pad count of each call: with few pads a call is narrow, and quick."""

_PIECE = 20
"""Tokens that a piece has at least: in a few tokens, nothing is far enough apart for blocks and windows to cut it."""

_SHORTEST_PIECE = 2
"""If the table of positions has no room for more."""

_SIZE_KEY = re.compile(r"(?i)(window|chunk|block)(_size|_len|_length)?$")
_LARGEST = 512
_LARGEST_IF_THOROUGH = 8192


def screen_pad_counts(run: Run, *, each_alone: bool = False) -> PadCountSweep:
    """The beginnings of one text behind a handful of pad counts, in as few calls as possible.

    All rows of a call have its width, so that a row with more pads holds less of the text. One forward() over the text
    alone gives what each beginning should say. The text is the longest prompt and its new tokens, repeated if they are
    short. In a model that is not causal this reference may be what is off; with `each_alone` each piece runs alone.
    """
    index = max(run.batch.prompts, key=lambda index: len(run.batch.prompts[index]))
    sizes, counts = _sizes(run.model.config), list[PadCount]()
    try:
        with in_step():
            pieces = _pieces(run, index, sizes)
            for numbers, width in pieces.calls:
                counts += _screened(run, pieces, numbers, width, each_alone=each_alone)
    except Exception as error:  # noqa: BLE001  what the arms gave stays
        message = f"{type(error).__name__}: {error}"
        return PadCountSweep(prompt_index=index, sizes=sizes, counts=tuple(counts), error=message)
    return PadCountSweep(prompt_index=index, sizes=sizes, counts=tuple(counts))


class _Pieces(NamedTuple):
    """The beginnings of a text: the pad counts and the width of each call, and the logits behind each beginning.

    `alone` begins with the logits behind the `shortest` one.
    """

    prompt_index: int
    text: tuple[int, ...]
    calls: list[tuple[list[int], int]]
    shortest: int
    alone: Logits

    def behind(self, length: int) -> Logits:
        """The logits behind so many tokens of the text."""
        return self.alone.only(length - self.shortest)


def _pieces(run: Run, index: int, sizes: dict[str, int]) -> _Pieces:
    numbers = {*_SCREENED, *(count for size in sizes.values() for count in (size - 1, size, size + 1) if count > 0)}
    room = _room(run, ())
    calls = []
    for low, high in pairwise((0, *_WIDEST)):
        wanted = sorted(number for number in numbers if low < number <= high)
        width = wanted[-1] + _PIECE if wanted else 0
        width = width if room is None else min(width, room)
        if wanted and width >= wanted[-1] + _SHORTEST_PIECE:
            calls.append((wanted, width))
    lengths = [width - number for wanted, width in calls for number in wanted] or [_SHORTEST_PIECE]
    shortest, longest = min(lengths), max(lengths)
    text = run.batch.prompts[index] + run.of(SINGLE)[index].generated_ids
    text = (text * (longest // len(text) + 1))[:longest]
    alone = replay(run.model, text[:shortest], text[shortest:] + text[:1], with_positions=True)
    return _Pieces(index, text, calls, shortest, alone.logits)


def _screened(run: Run, pieces: _Pieces, numbers: list[int], width: int, *, each_alone: bool) -> list[PadCount]:
    positions = position_ids_from_mask if takes_position_ids(run.model) else None
    texts = [pieces.text[: width - number] for number in numbers]
    rows = [(pieces.prompt_index, pad_ids(text, width, run.batch.pad_token_id, "left")) for text in texts]
    counts = []
    traces = forward(run.model, rows, run.settings, positions=positions)
    for number, text, trace in zip(numbers, texts, traces, strict=True):
        reference = pieces.behind(len(text))
        if each_alone:
            alone = [(pieces.prompt_index, unpadded(text))]
            reference = forward(run.model, alone, run.settings, positions=positions)[0].logits
        [step] = compare_logits(reference, trace.logits)
        counts.append(PadCount(num_pad_tokens=number, step=step))
    return counts


def sweep_pad_counts(run: Run) -> PadCountSweep:
    """Two copies of the batch's longest prompt behind each number of pads, one new token each.

    A copy beside it keeps the number of rows out of the question, since no batch has only one.
    """
    index = max(run.batch.prompts, key=lambda index: len(run.batch.prompts[index]))
    prompt = run.batch.prompts[index]
    reference = run.of(SINGLE)[index]
    sizes = _sizes(run.model.config)
    counts = []
    try:
        with in_step():
            for number in _counts(sizes, _room(run, prompt), thorough=run.settings.thorough):
                rows = [(index, pad_ids(prompt, number + len(prompt), run.batch.pad_token_id, "left"))] * 2
                trace = generate(run.model, rows, run.settings, max_new_tokens=1)[-1]
                [step] = compare_logits(reference.logits.first(1), trace.logits)
                counts.append(PadCount(num_pad_tokens=number, step=step))
    except Exception as error:  # noqa: BLE001  what the other arms gave stays
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


def _room(run: Run, prompt: tuple[int, ...]) -> int | None:
    """The most pads that a table of positions has room for; pads should not take any, but may."""
    limit = max_position_embeddings(run.model.config.get_text_config())
    return None if limit is None else limit - len(prompt) - 1


def _counts(sizes: dict[str, int], room: int | None, *, thorough: bool) -> list[int]:
    around = {count for size in sizes.values() for count in (size - 1, size, size + 1, 2 * size)}
    largest = _LARGEST_IF_THOROUGH if thorough else _LARGEST
    largest = largest if room is None else min(largest, room)
    return sorted(number for number in {*_USUAL, *around} if 1 <= number <= largest)
