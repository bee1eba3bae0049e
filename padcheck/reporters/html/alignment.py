"""A prompt in several batches, so that the same real token stands in the same column, whatever it is padded with."""

from typing import Literal, NamedTuple

from padcheck.evidence import Row
from padcheck.report import Report
from padcheck.reporters.visible import visible_token
from padcheck.reporters.wording import PAD, outputs, sample_title

Kind = Literal["pad", "prompt", "new", "none"]


class Cell(NamedTuple):
    """One column of a row; `unlike` where forward() received another position than the mask gives a real token."""

    kind: Kind
    token: str = ""
    token_id: str = ""
    mask: str = ""
    position: str = ""
    formula: str = ""
    unlike: bool = False


class Line(NamedTuple):
    """A row of a batch; `ran` where forward() received positions at all."""

    title: str
    outcome: str
    cells: list[Cell]
    ran: bool


_NONE = Cell("none")


def align(report: Report, prompt_index: int) -> list[Line]:
    """A prompt in the arms that ran it."""
    return _aligned([(output.arm, output.outcome, output.row) for output in outputs(report, prompt_index)])


def align_samples(report: Report, prompt_index: int) -> list[Line]:
    """A prompt as the tokenizer padded it when asked for either side."""
    return _aligned(
        [
            (sample_title(side), "", row)
            for side, sample in report.evidence.samples.items()
            for row in sample.rows
            if row.prompt_index == prompt_index
        ]
    )


def _aligned(rows: list[tuple[str, str, Row]]) -> list[Line]:
    split = [(title, outcome, row, *_split(row)) for title, outcome, row in rows]
    left, right, new = (max((parts[place] for *_, parts in split), default=0) for place in range(3))
    lines = []
    for title, outcome, row, cells, (own_left, own_right, own_new) in split:
        prompt, generated = cells[: len(cells) - own_new], cells[len(cells) - own_new :]
        aligned = [
            *([_NONE] * (left - own_left)),
            *prompt,
            *([_NONE] * (right - own_right)),
            *generated,
            *([_NONE] * (new - own_new)),
        ]
        lines.append(Line(title, outcome, aligned, ran=bool(row.generated_ids)))
    return lines


def _split(row: Row) -> tuple[list[Cell], tuple[int, int, int]]:
    """The cells of a row, and how many of them are pads on the left, pads on the right, and new."""
    new = len(row.generated_ids)
    mask = row.attention_mask[: len(row.attention_mask) - new]
    # By the mask and not by the side that was asked for, which a tokenizer may ignore.
    left = mask.index(1) if 1 in mask else 0
    right = mask[::-1].index(1) if 1 in mask else len(mask)
    return [_cell(row, index, is_new=index >= len(mask)) for index in range(len(row.input_ids))], (left, right, new)


def _cell(row: Row, index: int, *, is_new: bool) -> Cell:
    real, received, formula = row.attention_mask[index], row.position_ids[index], row.position_ids_from_mask[index]
    return Cell(
        kind="pad" if not real else "new" if is_new else "prompt",
        token=visible_token(row.tokens[index]) if real else PAD,
        token_id=str(row.input_ids[index]),
        mask=str(real),
        position="-" if received is None else str(received),
        formula=str(formula),
        unlike=bool(real) and received is not None and received != formula,
    )
