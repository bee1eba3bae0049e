"""What the judge says: verdicts, findings, rules that gave no answer, and advice."""

from enum import Enum
from typing import Annotated, Literal

import msgspec

from padcheck.core.facts import Count, PaddingSide
from padcheck.core.run_plans import SINGLE
from padcheck.core.run_results import Distance, TokenFlip
from padcheck.core.severity import Severity

Code = Annotated[str, msgspec.Meta(pattern="^PAD[0-9]{3}$")]
"""The code of a rule."""
Lines = Annotated[str, msgspec.Meta(extra={"lines": True})]
"""A text that is shown with its line ends. Every other text is shown in one line."""


def percent(share: float) -> str:
    """Such as `84 %` or `0.12 %`."""
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2f} %"  # noqa: PLR2004


class Verdict(str, Enum):
    """How a row compares with its reference, from harmless to severe. The verdict of a run is that of its worst row.

    identical: same tokens, same logits to the last bit. equivalent: rounding explains the difference. different: it
    does not. non_finite: NaN, or an infinity that the reference lacks.
    """

    NOT_RUN = "not_run"
    IDENTICAL = "identical"
    EQUIVALENT = "equivalent"
    DIFFERENT = "different"
    NON_FINITE = "non_finite"

    @property
    def within_rounding(self) -> bool:
        """True if nothing differs by more than rounding."""
        return self in (Verdict.IDENTICAL, Verdict.EQUIVALENT)

    @property
    def rank(self) -> int:
        """The position in this order, from 0."""
        return list(Verdict).index(self)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One problem, or one thing worth knowing.

    Attributes:
        code: The code of its rule, such as PAD201.
        name: The name of its rule.
        severity: How bad it is.
        message: What was found, in one or two sentences.
        evidence: The numbers that it rests on.
        fix: What to change.
        known: True if a baseline accepts it: then it makes no command fail.
    """

    code: Code
    name: str
    severity: Severity
    message: str
    evidence: dict[str, object]
    fix: Lines
    known: bool = False


SkippedBecause = Literal["undecided", "ignored", "not_asked", "covered"]
"""Something is missing; the user ignores the code; it is about another task, side or selection; it is suppressed."""


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that gave no answer, and the reason in words and as one of a few kinds."""

    code: Code
    reason: str
    kind: SkippedBecause = "undecided"


class RowComparison(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one row. `max_abs_diff` and `allowed` belong to the worst step: the one nearest to its limit."""

    prompt_index: Count
    num_pad_tokens: Count
    verdict: Verdict
    max_abs_diff: Distance | None
    max_kl: Distance | None
    allowed: float
    step: Count
    first_different_token: Count | None
    flip: TokenFlip | None = None
    reason: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one run against its reference. The numbers are those of its worst row."""

    reference: str = SINGLE
    verdict: Verdict
    max_abs_diff: Distance | None = None
    max_kl: Distance | None = None
    allowed: float | None = None
    first_different_token: Count | None = None
    reason: str
    rows: tuple[RowComparison, ...] = ()


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """How to pad for one task with this model.

    Attributes:
        task: What the caller does.
        padding_side: The side to pad on; None if every padded batch gave wrong results.
        position_ids: True if position_ids must be passed.
        attention_mask: True if attention_mask must be passed.
        line: A line of code to paste.
    """

    task: Literal["generating", "scoring", "training", "classifying", "embedding"]
    padding_side: PaddingSide | None
    position_ids: bool
    attention_mask: bool
    line: str
