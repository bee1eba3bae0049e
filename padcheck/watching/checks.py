"""Proves mistakes in a call of a model: the batch as it was called, the same rows alone, and the batch called right.

A mistake is reported if the batch differs from its rows alone by more than rounding, and the corrected call does not.
If the corrected call differs too, the fault is the model's, which `padcheck compare` is about.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedModel

from padcheck.watching.layout import Layout
from padcheck.watching.masks import counts_pads, suspected
from padcheck.watching.shadow import (
    Difference,
    GenerateShadow,
    Shadow,
    allowed,
    compare,
    right_positions,
    rows_to_compare,
)


class ModelCall(NamedTuple):
    """A call of a model with a known batch.

    Attributes:
        model: The model.
        arguments: The arguments by name.
        layout: The batch, with the columns in the cache.
        before: The columns in the cache; None without a cache.
        output: The main output of forward(); None for generate().
    """

    model: PreTrainedModel
    arguments: Mapping[str, Any]
    layout: Layout
    before: Layout | None = None
    output: torch.Tensor | None = None

    @property
    def mask(self) -> Any:
        """The attention mask that was passed."""
        return self.arguments.get("attention_mask")

    @property
    def positions(self) -> Any:
        """The positions that were passed."""
        return self.arguments.get("position_ids")


class Proven(NamedTuple):
    """A mistake that a run has shown."""

    code: str
    facts: dict[str, object]


def check_forward(call: ModelCall) -> Proven | None:
    """Proves a mistake in the mask (PAD502 to PAD506), the positions (PAD507) or the pad id (PAD517) of forward()."""
    layout, shadow = call.layout, Shadow(call.model, call.arguments)
    code = suspected(call.mask, layout, call.before)
    positions = right_positions(call.model, layout)
    counts = positions is not None and call.before is None and counts_pads(call.positions, layout)
    counts = counts or (positions is not None and call.before is not None and layout.left and call.positions is None)
    rows = rows_to_compare(layout, call.mask)
    pools = code is None and not counts and _pools_by_id(call.model)
    if not rows or not (code or counts or pools):
        return None
    if call.before is None:
        output = shadow.forward(layout, call.mask, call.positions)
    elif call.output is None or call.model.training:
        return None  # a cache that has changed cannot run again
    else:
        output = call.output
    judged = _Judged(shadow, call.model, layout, rows)
    found = judged.differs(output)
    right_mask = layout.real.long()
    pad = int(layout.ids[~layout.real][0]) if pools else None
    if found is None or judged.differs(shadow.forward(layout, right_mask, positions, pad)):
        return None
    return judged.proven(code or ("PAD517" if pools else "PAD507"), found)


def check_generate(call: ModelCall, pad_token_id: int | None, *, side_is_left: bool) -> Proven | None:
    """Proves that generate() continues from pads (PAD501, PAD521), or a mistake in its mask (PAD502 to PAD505).

    Args:
        call: The call.
        pad_token_id: The pad id that generate() uses.
        side_is_left: Whether the tokenizer pads on the left by now.
    """
    layout, model = call.layout, call.model
    code = suspected(call.mask, layout, None)
    if layout.right and not model.config.is_encoder_decoder:
        code = "PAD521" if side_is_left else "PAD501"
    rows = rows_to_compare(layout, call.mask)
    if code is None or not rows:
        return None
    shadow = GenerateShadow(model, pad_token_id)
    judged = _Judged(shadow, model, layout, rows)
    found = judged.differs(shadow.forward(layout, call.mask, None))
    right = layout if model.config.is_encoder_decoder else layout.padded_left()
    if found is None or judged.differs(shadow.forward(right, right.real.long(), None)):
        return None
    return judged.proven(code, found)


def missing_embedding(model: PreTrainedModel, ids: object) -> Proven | None:
    """PAD515 if an id of a batch has no row in the embedding table."""
    if not isinstance(ids, torch.Tensor) or ids.is_floating_point() or not ids.numel():
        return None
    rows = model.get_input_embeddings().weight.shape[0]
    outside = ids[(ids < 0) | (ids >= rows)]
    if not outside.numel():
        return None
    return Proven("PAD515", {"token_id": int(outside[0]), "rows": rows, "model": type(model).__name__})


def _pools_by_id(model: PreTrainedModel) -> bool:
    """True for a head that looks for the last token of a row by config.pad_token_id."""
    return type(model).__name__.endswith("ForSequenceClassification") and hasattr(model.config, "pad_token_id")


class _Judged:
    """Compares outputs of one batch with its rows alone, within rounding, which is measured if it matters."""

    def __init__(self, shadow: Shadow, model: PreTrainedModel, layout: Layout, rows: list[int]) -> None:
        self._shadow = shadow
        self._model = model
        self._layout = layout
        self._rows = rows
        self._rounding: float | None = None

    def differs(self, output: torch.Tensor) -> Difference | None:
        """The difference if rounding does not explain it."""
        found = compare(self._shadow, self._layout, output, self._rows)
        if found.largest <= allowed(self._model, found.scale, 0.0):
            return None
        return found if found.largest > self._allowed(found) else None

    def proven(self, code: str, found: Difference) -> Proven:
        """The mistake with its size."""
        return Proven(
            code,
            {
                "max_abs_diff": found.largest,
                "allowed": self._allowed(found),
                "compared_rows": found.rows,
                "changed_rows": found.changed,
                "padded_rows": int(self._layout.padded.sum()),
                "batch_size": len(self._layout.ids),
                "model": type(self._model).__name__,
            },
        )

    def _allowed(self, found: Difference) -> float:
        if self._rounding is None:
            self._rounding = self._shadow.rounding(self._layout, self._rows[0])
        return allowed(self._model, found.scale, self._rounding)
