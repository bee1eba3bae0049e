"""The types that hold the result of a command. Independent of measuring and of display.

A `Report` is about one model and a `Check` about several models. A `Survey` is about many architectures: it keeps the
findings, but not the evidence.
"""

from typing import Annotated, Literal

import msgspec

from padcheck.core.evidence import Evidence
from padcheck.core.exit_codes import ExitCode
from padcheck.core.facts import Environment, ModelFacts, PositionEncoding, Size
from padcheck.core.noise_floor import NoiseFloor
from padcheck.core.precision import PrecisionTest
from padcheck.core.run_results import Distance
from padcheck.core.settings import JudgeSettings
from padcheck.core.severity import Severity
from padcheck.core.variant_name import variant_name
from padcheck.core.verdicts import Advice, Code, Comparison, Finding, Lines, Skipped, Verdict

Command = Literal["compare", "inspect-tokenizer"]
Status = Literal["pass", "fail", "not_measured", "error"]

STATUS: dict[ExitCode, Status] = {
    ExitCode.OK: "pass",
    ExitCode.FINDINGS: "fail",
    ExitCode.USAGE: "not_measured",
    ExitCode.NOT_MEASURED: "not_measured",
    ExitCode.BUG: "error",
}
"""The status of each exit code."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured of one model, and the verdict.

    `task_comparisons` holds the verdicts on the runs of a task, such as classifying. `library_behaviour` holds what
    `padcheck.judging.library_behaviour` observed in the installed transformers. `seconds` holds the time of each stage.
    A run's stage has the run's name. `stand_ins` are the prompts that did not go through generate(), `noise` measures
    rounding, `screen` and `pad_counts` are the sweeps, and `place` is the search for the first module that differs.
    """

    command: Command
    status: Status
    exit_code: ExitCode
    judgement: JudgeSettings = msgspec.field(default_factory=JudgeSettings)
    evidence: Evidence
    comparisons: dict[str, Comparison] = {}
    task_comparisons: dict[str, Comparison] = {}
    noise_floor: NoiseFloor | None = None
    precision_test: PrecisionTest | None = None
    findings: tuple[Finding, ...] = ()
    advice: tuple[Advice, ...] = ()
    library_behaviour: dict[str, str] = {}
    skipped: tuple[Skipped, ...] = ()
    seconds: dict[str, float] = {}


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """Why there is no report: what happened, what it usually means, and what to change."""

    what: Lines
    meaning: Lines = ""
    change: Lines = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """Its parts that are not empty, in this order."""
        return tuple(text for text in (self.what, self.meaning, self.change) if text)


class UnmeasuredModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model of which only the id is known."""

    id: str


class Unmeasured(msgspec.Struct, frozen=True, kw_only=True):
    """A model of a check that could not be measured, and the reason; with a traceback if it is a bug in padcheck."""

    command: Command = "compare"
    status: Status
    exit_code: ExitCode
    model: UnmeasuredModel
    error: Reason
    traceback: Lines | None = None


class KnownFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that a baseline accepts, up to this severity."""

    model: str
    code: Code
    severity: Severity


class ConfigurationFile(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration file as seen from the root of its repository, and the line of each model, counted from 1."""

    path: str
    lines: dict[str, Size] = {}


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """Several models, each measured and judged by its own settings.

    `vanished` holds the findings of the baseline that no longer occur. A finding whose rule could not be decided has
    not vanished. `ways` says how each report's run differs from the others, if `compare` ran one model in several ways.
    """

    command: Literal["check"] = "check"
    status: Status
    exit_code: ExitCode
    configuration: ConfigurationFile | None = None
    reports: tuple[Report | Unmeasured, ...]
    vanished: tuple[KnownFinding, ...] = ()
    ways: tuple[str, ...] = ()

    @property
    def models(self) -> tuple[ModelFacts | UnmeasuredModel, ...]:
        """The model of each report."""
        return tuple(report.evidence.model if isinstance(report, Report) else report.model for report in self.reports)

    @property
    def side_by_side(self) -> tuple[str, ...]:
        """How each run differs, if all are of one model: as `compare` says, or the attention implementation."""
        if self.ways:
            return self.ways
        ways = tuple(str(model.attn_implementation) for model in self.models if isinstance(model, ModelFacts))
        of_one_model = len({model.id for model in self.models}) == 1
        return ways if of_one_model and len(set(ways)) > 1 and len(ways) == len(self.reports) else ()

    @property
    def names(self) -> tuple[str, ...]:
        """The title of each report: its model, and what differs if all are of one model."""
        if not self.side_by_side:
            return tuple(model.id for model in self.models)
        return tuple(f"{model.id} ({way})" for model, way in zip(self.models, self.side_by_side, strict=True))


class Architecture(msgspec.Struct, frozen=True, kw_only=True):
    """One model type of a survey.

    `verdicts` and `max_abs_diffs` have a key for each way of running it (`left_generate`, `right_score`, ...). Each is
    compared with the prompts alone, except `left_no_mask`, which is compared with `left_generate`. `findings` holds
    the codes, `details` the findings themselves. `exit_code` is that of `compare` for this model. `reason` says why
    it was not judged. `dtype` is float64 if float32 could not tell rounding from a fault.

    If checkpoints set something that changes which code runs, `variants` has an entry for the default config, followed
    by one for each of these settings, named by `variant`. The entry of the model type then has the worst of each.
    """

    model_type: str
    variant: str | None = None
    architecture: str | None = None
    status: Literal["judged", "not_built"]
    exit_code: ExitCode
    position_encoding: PositionEncoding | None = None
    verdicts: dict[str, Verdict] = {}
    max_abs_diffs: dict[str, Distance | None] = {}
    allowed: float | None = None
    findings: tuple[Code, ...] = ()
    known_limit: str | None = None
    reason: str | None = None
    seconds: float
    library_behaviour: dict[str, str] = {}
    dtype: str | None = None
    details: tuple[Finding, ...] = ()
    variants: tuple["Architecture", ...] = ()

    @property
    def name(self) -> str:
        """Its model type, and its variant if it is one; `padcheck compare NAME --tiny` measures it."""
        return variant_name(self.model_type, self.variant)

    @property
    def lines(self) -> tuple["Architecture", ...]:
        """What a table shows of it: each variant, or itself if it has none."""
        return self.variants or (self,)


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """Many architectures, each judged at toy size with the same `settings` and `judgement`."""

    command: Literal["survey"] = "survey"
    status: Status
    exit_code: ExitCode
    environment: Environment
    settings: dict[str, object]
    judgement: JudgeSettings = msgspec.field(default_factory=JudgeSettings)
    architectures: Annotated[tuple[Architecture, ...], msgspec.Meta(min_length=1)]


Document = Report | Check | Survey
"""The result of a command, which can be saved as JSON."""
