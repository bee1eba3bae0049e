"""What a rule is: a code, a severity, and one decision over the evidence.

A rule's docstring is the documentation of its code; `padcheck explain` shows it. Its first line says what the code
says, and the sections are always `Why it matters`, `How padcheck knows`, `Fix` and `References`.
"""

import inspect
from abc import ABC, abstractmethod
from typing import ClassVar

import msgspec

from padcheck.core.evidence import Place
from padcheck.core.facts import PaddingSide
from padcheck.core.report import Finding, Skipped
from padcheck.core.severity import Severity
from padcheck.core.use_case import Task, UseCase
from padcheck.judging.case import Case


class Rule(ABC):
    """One code. Rules are stateless and see no tensor.

    Attributes:
        code: `PADnnn`; never reused, never renumbered.
        name: The same in words.
        severity: The usual one; a finding may carry another where the evidence is milder or graver.
        told_by: Codes whose finding already tells this rule's story: where one of them fired, no milder than this rule
            would, this rule is skipped.
        tasks: The tasks that it is about; none where it is about all of them.
        side: The padding side that it is about; None where it is about both.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity]
    told_by: ClassVar[tuple[str, ...]] = ()
    tasks: ClassVar[tuple[Task, ...]] = ()
    side: ClassVar[PaddingSide | None] = None

    @abstractmethod
    def judge(self, case: Case) -> Finding | Skipped | None:
        """A finding, or the reason why it could not be decided, or None where all is well."""

    def concerns(self, use: UseCase) -> bool:
        """False where it says nothing about what the caller does."""
        return (not self.tasks or use.task is None or use.task in self.tasks) and use.pads(self.side)

    def found(
        self,
        message: str,
        *,
        fix: str,
        severity: Severity | None = None,
        place: Place | None = None,
        **evidence: object,
    ) -> Finding:
        """A finding of this rule; `place` is the module in which the difference begins, if it is known."""
        if place is not None:
            message += f" It begins in {place}: {_before_and_behind(place)}."
            evidence["place"] = msgspec.to_builtins(place)
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
    def sections(cls) -> list[tuple[str, str]]:
        """Heading and text of each section, without line breaks."""
        blocks = [block.splitlines() for block in cls.documentation().split("\n\n")[1:]]
        return [(heading, " ".join(line.strip() for line in lines)) for heading, *lines in blocks]

    @classmethod
    def documentation(cls) -> str:
        """The docstring without its indentation."""
        return inspect.cleandoc(cls.__doc__ or "")


def code_fix(place: Place | None, change: str) -> str:
    """What to change in the model's code, and where."""
    return f"# in the model's code: {change}" if place is None else f"# in {place}: {change}"


def _before_and_behind(place: Place) -> str:
    before = "NaN" if place.difference_before is None else f"{place.difference_before:.2g}"
    behind = "NaN" if place.difference is None else f"{place.difference:.2g}"
    return f"its inputs differ by {before}, its output by {behind}"


def attention_fix(implementation: str) -> str:
    """The line that loads a model with this attention implementation."""
    return f'model = AutoModelForCausalLM.from_pretrained(..., attn_implementation="{implementation}")'
