"""What a rule is: a code, a severity, and one decision over the evidence.

A rule's docstring is the documentation of its code; `padcheck explain` shows it. Its first line says what the code
says, and the sections are always `Why it matters`, `How padcheck knows`, `Fix` and `References`.
"""

import inspect
from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from padcheck.evidence import Evidence
from padcheck.report import Comparison, Finding, RowComparison, Skipped, Verdict
from padcheck.severity import Severity
from padcheck.tolerances import share_of_allowance


class Case(NamedTuple):
    """What a rule looks at: the evidence, and each arm's comparison under the tolerance in force."""

    evidence: Evidence
    comparisons: dict[str, Comparison]

    def ran(self, *arms: str) -> bool:
        """True where each of these arms ran and was compared."""
        return all(arm in self.comparisons and self.comparisons[arm].verdict is not Verdict.NOT_RUN for arm in arms)

    def wrong(self, arm: str) -> list[RowComparison]:
        """The padded rows of an arm whose logits are off by more than rounding."""
        rows = self.comparisons[arm].rows if arm in self.comparisons else ()
        return [row for row in rows if row.num_pad_tokens and row.verdict is Verdict.DIFFERENT]


def worst(rows: list[RowComparison]) -> RowComparison:
    """The row that is furthest beyond what it is allowed."""
    return max(rows, key=lambda row: share_of_allowance(row.max_abs_diff, row.allowed))


class Rule(ABC):
    """One code. Rules are stateless and see no tensor.

    Attributes:
        code: `PADnnn`; never reused, never renumbered.
        name: The same in words.
        severity: The usual one; a finding may carry another where the evidence is milder or graver.
        told_by: Codes whose finding already tells this rule's story: where one of them fired, no milder than this rule
            would, this rule is skipped.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity]
    told_by: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def judge(self, case: Case) -> Finding | Skipped | None:
        """A finding, or the reason why it could not be decided, or None where all is well."""

    def found(self, message: str, *, fix: str, severity: Severity | None = None, **evidence: object) -> Finding:
        """A finding of this rule."""
        return Finding(
            code=self.code,
            name=self.name,
            severity=severity or self.severity,
            message=message,
            evidence=evidence,
            fix=fix,
        )

    def skip(self, reason: str) -> Skipped:
        """This rule could not be decided."""
        return Skipped(code=self.code, reason=reason)

    @classmethod
    def title(cls) -> str:
        """What the code says, in one line."""
        return cls.documentation().splitlines()[0]

    @classmethod
    def documentation(cls) -> str:
        """The docstring without its indentation."""
        return inspect.cleandoc(cls.__doc__ or "")
