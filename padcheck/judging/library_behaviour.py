"""Behaviour of the installed transformers that differs between its versions, as seen in the runs."""

from padcheck.core.evidence import Evidence
from padcheck.core.run_plans import RunName
from padcheck.core.run_results import Row

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
    """What the positions of the new tokens follow; None if no row shows it.

    A row shows it only if both ways of counting give different positions: a prompt of one token, with pads at
    position 0, does not. Columns that never entered forward() have no position, such as the last new token.
    """
    matches: list[tuple[bool, bool]] = []
    for row in rows:
        width = len(row.input_ids) - len(row.generated_ids)
        last = row.position_ids[width - 1]
        if last is None:
            continue
        for step, position in enumerate(row.position_ids[width:], start=1):
            by_mask, by_column = row.position_ids_from_mask[width + step - 1], last + step
            if position is not None and by_mask != by_column:
                matches.append((position == by_mask, position == by_column))
    if not matches:
        return None
    if all(by_mask for by_mask, _ in matches):
        return "mask"
    return "last column" if all(by_column for _, by_column in matches) else None
