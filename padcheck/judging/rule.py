"""The base classes of all rules: a code with its documentation, and one decision based on the evidence.

The docstring of a rule documents its code, and `padcheck explain` shows it. Its first line says what the code reports.
The sections are always `Why it matters`, `How padcheck knows`, `Fix` and `References`. A rule about the user's own code
has the examples `Wrong` and `Right` instead of `Fix`.
"""

import inspect
from abc import ABC, abstractmethod
from typing import ClassVar

import msgspec

from padcheck.core.errors import HOME
from padcheck.core.evidence import Place
from padcheck.core.facts import PaddingSide
from padcheck.core.severity import Severity
from padcheck.core.use_case import Task, UseCase
from padcheck.core.verdicts import Finding, Skipped, SkippedBecause
from padcheck.judging.case import Case, Reads

EQUAL_LENGTH = "batch prompts of equal length, or run them one by one"
NO_SWEEP = "undecided: the sweep over pad counts did not run"


def is_code(heading: str) -> bool:
    """True for a section of the documentation that holds an example in code."""
    return heading.rstrip(":") in ("Wrong", "Right")


class Code:
    """One code and its documentation, which is the docstring of the subclass.

    Attributes:
        code: `PADnnn`; never reused, never renumbered.
        name: The code in words.
        severity: The usual severity.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity]

    @classmethod
    def title(cls) -> str:
        """What the code reports, in one line."""
        return cls.documentation().splitlines()[0]

    @classmethod
    def sections(cls) -> list[tuple[str, str]]:
        """The heading and text of each section. Only lines of code keep their line breaks."""
        blocks = [block.splitlines() for block in cls.documentation().split("\n\n")[1:]]
        return [
            (heading, ("\n" if is_code(heading) else " ").join(line.strip() for line in lines))
            for heading, *lines in blocks
        ]

    @classmethod
    def documentation(cls) -> str:
        """The docstring without indentation."""
        return inspect.cleandoc(cls.__doc__ or "")

    @classmethod
    def url(cls) -> str:
        """The page that documents the code. It never moves."""
        return f"{HOME}/blob/main/docs/codes/{cls.code}.md"


class Rule(Code, ABC):
    """One code, and the decision whether it applies. Rules have no state and see no tensor.

    A subclass sets the attributes and implements `decide`. A finding may have another severity than the usual one if
    the evidence is weaker or stronger.

    Attributes:
        reads: The runs without which it is undecided. Of a tuple of runs, one is enough.
        suppressed_by: Codes whose finding already explains what this rule would report; see `suppression`.
        tasks: The tasks that it is about; empty if it is about all of them.
        side: The padding side that it is about; None if it is about both.
    """

    reads: ClassVar[Reads] = ()
    suppressed_by: ClassVar[tuple[str, ...]] = ()
    tasks: ClassVar[tuple[Task, ...]] = ()
    side: ClassVar[PaddingSide | None] = None

    def judge(self, case: Case) -> Finding | Skipped | None:
        """Decides, or is skipped if a run that the rule reads is missing."""
        undecided = case.undecided(self.reads)
        return self.decide(case) if undecided is None else self.skip(undecided)

    @abstractmethod
    def decide(self, case: Case) -> Finding | Skipped | None:
        """A finding, or None if all is well; skipped if something besides `reads` is missing."""

    def concerns(self, use: UseCase) -> bool:
        """False if the rule says nothing about what the caller does."""
        return (not self.tasks or use.task is None or use.task in self.tasks) and use.pads(self.side)

    def is_suppressed_by(self, finding: Finding) -> bool:
        """True if that finding explains this rule's, and is at least as severe as this rule usually is."""
        return finding.code in self.suppressed_by and finding.severity.rank >= self.severity.rank

    @property
    def is_cause(self) -> bool:
        """True for PAD3nn: it says why padding changes the output."""
        return self.code.startswith("PAD3")

    def found(
        self,
        message: str,
        *,
        fix: str,
        severity: Severity | None = None,
        place: Place | None = None,
        **evidence: object,
    ) -> Finding:
        """A finding of this rule. `place` is the module in which the difference begins, if it is known."""
        if place is not None:
            message += f" It begins in {place}: {_in_and_out(place)}."
            evidence["place"] = msgspec.to_builtins(place)
        return Finding(
            code=self.code,
            name=self.name,
            severity=severity or self.severity,
            message=message,
            evidence=evidence,
            fix=fix,
        )

    def skip(self, reason: str, kind: SkippedBecause = "undecided") -> Skipped:
        """This rule is undecided, left out or suppressed, and why."""
        return Skipped(code=self.code, reason=reason, kind=kind)


def code_fix(place: Place | None, change: str) -> str:
    """The line to change in the model's code, below a comment that says where."""
    where = "the model's code" if place is None else place
    return f"# in {where}:\n{change}"


def _in_and_out(place: Place) -> str:
    inputs = "NaN" if place.difference_before is None else f"{place.difference_before:.2g}"
    output = "NaN" if place.difference is None else f"{place.difference:.2g}"
    return f"its inputs differ by {inputs}, its output by {output}"


def attention_fix(implementation: str) -> str:
    """The line that loads the model with this attention implementation."""
    return f'AutoModelForCausalLM.from_pretrained(..., attn_implementation="{implementation}")'
