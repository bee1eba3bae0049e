"""Mistakes in the texts themselves: cut at the end, two bos tokens, fewer new tokens than alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from padcheck.watching.checks import ModelCall, Proven
from padcheck.watching.layout import Layout
from padcheck.watching.rows import Remembered, as_bytes, from_bytes
from padcheck.watching.shadow import GenerateShadow, allowed

_LIMITS = ("max_new_tokens", "max_length")

_MOST_TEXTS = 2**12
"""How many whole texts are remembered, the last ones."""


class CutTexts:
    """The texts from whose end a tokenizer has cut tokens, with the whole text."""

    def __init__(self) -> None:
        self._whole = Remembered[bytes](_MOST_TEXTS)

    def add(self, encoded: Any, tokenizer: Any) -> None:
        """Remembers what a fast tokenizer reports to have cut; others do not report it."""
        if tokenizer.truncation_side != "right":
            return
        for encoding in getattr(encoded, "encodings", None) or ():
            if encoding.overflowing:
                kept = [token for token, real in zip(encoding.ids, encoding.attention_mask, strict=True) if real]
                rest = [
                    token
                    for each in encoding.overflowing
                    for token, real in zip(each.ids, each.attention_mask, strict=True)
                    if real
                ]
                self._whole.add(as_bytes(kept), as_bytes(kept + rest))

    def whole(self, text: Sequence[int]) -> list[int] | None:
        """The whole text of which this is the beginning; None if it was not cut."""
        found = self._whole.get(as_bytes(text))
        return None if found is None else from_bytes(found)


def check_cut(call: ModelCall, pad_token_id: int | None, texts: CutTexts) -> Proven | None:
    """PAD519 if the whole prompts have other next-token logits than the cut ones."""
    wholes = {row: texts.whole(call.layout.text(row)[0].tolist()) for row in range(len(call.layout.ids))}
    cut = {row: whole for row, whole in wholes.items() if whole is not None}
    limit = getattr(call.model.config, "max_position_embeddings", None)
    cut = {row: whole for row, whole in cut.items() if limit is None or len(whole) < limit}
    if not cut:
        return None
    row, whole = max(cut.items(), key=lambda pair: len(pair[1]))
    moved = _moved_by(call, pad_token_id, row, torch.tensor([whole]))
    tokens = len(whole) - int(call.layout.real[row].sum())
    return None if moved is None else Proven("PAD519", {"rows": len(cut), "tokens": tokens, "max_abs_diff": moved})


def check_bos(call: ModelCall, pad_token_id: int | None) -> Proven | None:
    """PAD520 if texts begin with bos twice, and with one the next-token logits differ."""
    bos = getattr(call.model.config, "bos_token_id", None)
    rows = [row for row in range(len(call.layout.ids)) if call.layout.text(row)[0, :2].tolist() == [bos, bos]]
    rows = [row for row in rows if call.layout.known[row] and call.layout.real[row].sum() > 2]  # noqa: PLR2004
    if bos is None or not rows:
        return None
    moved = _moved_by(call, pad_token_id, rows[0], call.layout.text(rows[0])[:, 1:])
    return None if moved is None else Proven("PAD520", {"rows": len(rows), "token_id": bos, "max_abs_diff": moved})


def check_length(arguments: Mapping[str, Any], layout: Layout, output: Any, eos: set[int]) -> Proven | None:
    """PAD518 if rows with pads stopped at a max_length that was passed, without an eos."""
    config = arguments.get("generation_config")
    new, total = (arguments.get(name, getattr(config, name, None)) for name in _LIMITS)
    sequences = output if isinstance(output, torch.Tensor) else output.sequences
    if new is not None or total is None or sequences.shape[1] < total or len(sequences) != len(layout.ids):
        return None
    answers = sequences[:, layout.width :].tolist()
    cut = [row for row, answer in enumerate(answers) if layout.padded[row] and not eos.intersection(answer)]
    if not cut:
        return None
    shortest = min(int(layout.real[row].sum()) for row in cut)
    facts = {"rows": len(cut), "max_length": total, "new": total - layout.width, "alone": total - shortest}
    return Proven("PAD518", facts)


def _moved_by(call: ModelCall, pad_token_id: int | None, row: int, other: torch.Tensor) -> float | None:
    """How far the next-token logits of another text are from those of this row; None if rounding explains it."""
    model: PreTrainedModel = call.model
    shadow = GenerateShadow(model, pad_token_id)
    layout = Layout(other, torch.ones_like(other, dtype=torch.bool), torch.ones(1, dtype=torch.bool))
    logits = shadow.alone(call.layout, row)
    moved = float((GenerateShadow(model, pad_token_id).alone(layout, 0) - logits).abs().max())
    scale = float(logits.abs().max())
    return moved if moved > allowed(model, scale, shadow.rounding(call.layout, row)) else None
