"""Behaviour of the installed transformers that differs between its versions, as seen in the runs."""

from padcheck.core.evidence import Evidence, Row
from padcheck.core.run_plans import RunName

_RIGHT_PADDING = "right-padding was detected"
_MISSING_MASK = ("attention mask is not set", "attention mask and the pad token id were not set")


def library_behaviour(evidence: Evidence) -> dict[str, str]:
    """What generate() did with positions and warnings. A key is left out if the runs could not show it.

    pad_position_ids: the positions that the pads of a left-padded row got. new_position_ids: where the positions of
    the new tokens of a right-padded row are counted from, its `mask` (which is right) or its `last column`.
    warns_of_right_padding and warns_of_missing_mask: yes or no, for a batch.

    Sources: huggingface/transformers#43734, #44021, #48161.
    """
    found = {}
    if (pads := _pad_positions(_padded(evidence, "left"))) is not None:
        found["pad_position_ids"] = pads
    if (counted := _counted_from(_padded(evidence, "right"))) is not None:
        found["new_position_ids"] = counted
    if _padded(evidence, "right"):
        found["warns_of_right_padding"] = _warned(evidence, "right", (_RIGHT_PADDING,))
    if _padded(evidence, "left_no_mask") and _cannot_infer_a_mask(evidence):
        found["warns_of_missing_mask"] = _warned(evidence, "left_no_mask", _MISSING_MASK)
    return found


def _warned(evidence: Evidence, run: RunName, texts: tuple[str, ...]) -> str:
    return "yes" if any(text in warning for warning in evidence.runs[run].warnings for text in texts) else "no"


def _cannot_infer_a_mask(evidence: Evidence) -> bool:
    """True if generate() has a reason to warn: it knows an eos, and pad is unknown or is an eos."""
    ids = evidence.special_token_ids.generation_config
    return ids.eos is not None and (ids.pad is None or ids.pad in ids.eos)


def _padded(evidence: Evidence, run: RunName) -> list[Row]:
    return [row for row in evidence.runs[run].rows if row.num_pad_tokens] if run in evidence.runs else []


def _pad_positions(rows: list[Row]) -> str | None:
    pads = {row.position_ids[column] for row in rows for column in range(row.num_pad_tokens)}
    return ", ".join(map(str, sorted(each for each in pads if each is not None))) or None


def _counted_from(rows: list[Row]) -> str | None:
    """Only columns that entered forward() have a position. The last new token never enters."""
    pairs = {
        (position, row.position_ids_from_mask[column])
        for row in rows
        for column, position in enumerate(row.position_ids)
        if column >= len(row.input_ids) - len(row.generated_ids) and position is not None
    }
    if not pairs:
        return None
    return "mask" if all(given == counted for given, counted in pairs) else "last column"
