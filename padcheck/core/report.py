"""What is said about the evidence: verdicts, findings, status. How it was measured and is shown is not known.

Of one model that is a `Report`; of several models a `Check`; of many architectures a `Survey`, which keeps what was
found and not what was measured.
"""

from enum import Enum
from typing import Literal

import msgspec

from padcheck.core.evidence import Evidence, TokenFlip
from padcheck.core.exit_codes import ExitCode
from padcheck.core.facts import Environment, ModelFacts, PaddingSide, PositionEncoding
from padcheck.core.noise_floor import NoiseFloor
from padcheck.core.precision import PrecisionTest
from padcheck.core.run_plans import SINGLE
from padcheck.core.settings import JudgeSettings
from padcheck.core.severity import Severity

Command = Literal["compare", "inspect-tokenizer"]
Status = Literal["pass", "fail", "not_measured", "error"]

STATUS: dict[ExitCode, Status] = {
    ExitCode.OK: "pass",
    ExitCode.FINDINGS: "fail",
    ExitCode.USAGE: "not_measured",
    ExitCode.NOT_MEASURED: "not_measured",
    ExitCode.BUG: "error",
}
"""What an exit code says in a word."""


class Verdict(str, Enum):
    """What padding did to a row; of an arm, the gravest of its rows. In order of gravity.

    identical: same tokens, same logits to the last bit. equivalent: the logits differ by no more than rounding
    explains.
    """

    NOT_RUN = "not_run"
    IDENTICAL = "identical"
    EQUIVALENT = "equivalent"
    DIFFERENT = "different"
    NON_FINITE = "non_finite"

    @property
    def within_rounding(self) -> bool:
        """True where nothing differs by more than rounding."""
        return self in (Verdict.IDENTICAL, Verdict.EQUIVALENT)

    @property
    def rank(self) -> int:
        """The place in the order of gravity."""
        return list(Verdict).index(self)


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to know: the code says which, `evidence` the numbers, `fix` the line to change.

    `known` where a baseline accepts it: it makes no command fail.
    """

    code: str
    name: str
    severity: Severity
    message: str
    evidence: dict[str, object]
    fix: str
    known: bool = False


class Skipped(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that could not be decided, or that would repeat another's story, and why."""

    code: str
    reason: str


class RowComparison(msgspec.Struct, frozen=True, kw_only=True):
    """One row judged. `max_abs_diff` and `allowed` are those of the step that uses up most of its allowance."""

    prompt_index: int
    num_pad_tokens: int
    verdict: Verdict
    max_abs_diff: float | None
    max_kl: float | None
    allowed: float
    step: int
    first_different_token: int | None
    flip: TokenFlip | None = None
    reason: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One arm judged against its reference: the numbers are those of its worst row."""

    reference: str = SINGLE
    verdict: Verdict
    max_abs_diff: float | None = None
    max_kl: float | None = None
    allowed: float | None = None
    first_different_token: int | None = None
    reason: str
    rows: tuple[RowComparison, ...] = ()


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What to do with this model, for one task: the `line` is meant to be pasted.

    `padding_side` is None where no batch with pads was right. `position_ids` and `attention_mask` say whether they
    must be passed.
    """

    task: Literal["generating", "scoring", "training"]
    padding_side: PaddingSide | None
    position_ids: bool
    attention_mask: bool
    line: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence on one model, and what it means.

    `library_behaviour` is what `padcheck.judging.library_behaviour` saw of this transformers. `seconds` says how long
    each stage took: runs have their own names, `stand_ins` are the prompts that did not go through generate(), `noise`
    measures rounding, `screen` and `pad_counts` are the sweeps, `place` is the search for the module.
    """

    command: Command
    status: Status
    exit_code: ExitCode
    judgement: JudgeSettings = msgspec.field(default_factory=JudgeSettings)
    evidence: Evidence
    comparisons: dict[str, Comparison] = {}
    noise_floor: NoiseFloor | None = None
    precision_test: PrecisionTest | None = None
    findings: tuple[Finding, ...] = ()
    advice: tuple[Advice, ...] = ()
    library_behaviour: dict[str, str] = {}
    skipped: tuple[Skipped, ...] = ()
    seconds: dict[str, float] = {}


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no report: what happened, what it usually means, and what to change."""

    what: str
    meaning: str = ""
    change: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """What there is of it, in this order."""
        return tuple(text for text in (self.what, self.meaning, self.change) if text)


class UnmeasuredModel(msgspec.Struct, frozen=True, kw_only=True):
    """The id of a model of which nothing else is known."""

    id: str


class Unmeasured(msgspec.Struct, frozen=True, kw_only=True):
    """A model of a check that could not be measured, and why; `traceback` where it is a bug in padcheck."""

    command: Command = "compare"
    status: Status
    exit_code: ExitCode
    model: UnmeasuredModel
    error: Reason
    traceback: str | None = None


class KnownFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that a baseline accepts, up to this severity."""

    model: str
    code: str
    severity: Severity


class ConfigurationFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file that settings came from, and in which of its lines, counted from 1, each model is named."""

    path: str
    lines: dict[str, int] = {}


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Several models, each measured and judged as its settings have it.

    `vanished` are findings of the baseline that are no longer there; what could not be decided has not vanished.
    """

    command: Literal["check"] = "check"
    status: Status
    exit_code: ExitCode
    configuration: ConfigurationFile | None = None
    reports: tuple[Report | Unmeasured, ...]
    vanished: tuple[KnownFinding, ...] = ()

    @property
    def models(self) -> tuple[ModelFacts | UnmeasuredModel, ...]:
        """The model of each report."""
        return tuple(report.evidence.model if isinstance(report, Report) else report.model for report in self.reports)

    @property
    def is_by_attention(self) -> bool:
        """True where it is about one model, which ran with several attention implementations."""
        ways = {model.attn_implementation for model in self.models if isinstance(model, ModelFacts)}
        return len(ways) > 1 and len({model.id for model in self.models}) == 1

    @property
    def names(self) -> tuple[str, ...]:
        """What to call each report: its model, and its attention implementation where that is what differs."""
        return tuple(
            f"{model.id} ({model.attn_implementation})"
            if self.is_by_attention and isinstance(model, ModelFacts)
            else model.id
            for model in self.models
        )


class Architecture(msgspec.Struct, frozen=True, kw_only=True):
    """One model type of a survey.

    `verdicts` and `max_abs_diffs` go by what was done with it (`left_generate`, `right_score`, ...), each read against
    the prompts alone but for `left_no_mask`, which is read against `left_generate`. `findings` are the codes, `details`
    the findings themselves. `exit_code` is what `compare` would have ended with; `reason` says why it is not judged.
    """

    model_type: str
    architecture: str | None = None
    status: Literal["judged", "not_built"]
    exit_code: ExitCode
    position_encoding: PositionEncoding | None = None
    verdicts: dict[str, Verdict] = {}
    max_abs_diffs: dict[str, float | None] = {}
    allowed: float | None = None
    findings: tuple[str, ...] = ()
    known_limit: str | None = None
    reason: str | None = None
    seconds: float
    library_behaviour: dict[str, str] = {}
    details: tuple[Finding, ...] = ()


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """Many architectures at toy size, each judged; `settings` and `judgement` are those of every run."""

    command: Literal["survey"] = "survey"
    status: Status
    exit_code: ExitCode
    environment: Environment
    settings: dict[str, object]
    judgement: JudgeSettings = msgspec.field(default_factory=JudgeSettings)
    architectures: tuple[Architecture, ...]


Document = Report | Check | Survey
"""What a command gives, and a file keeps."""
