"""What the user asked for: what to measure, how to judge it, how to say it. One frozen object each, validated here."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from padcheck.core.errors import UsageError
from padcheck.core.facts import PaddingSide
from padcheck.core.severity import Severity
from padcheck.core.use_case import Task, UseCase

EVERY_ATTENTION = "all"
"""In place of an attention implementation: each that the model has here, one after another."""

DEMO = "demo"
DEFAULT_PROMPTS = ("big unpadded five token prompt ", "padded three token ")


@dataclass(frozen=True, kw_only=True)
class MeasureSettings:
    """Which model, which prompts, how to generate. Names follow the transformers argument of the same meaning.

    Raises:
        UsageError: A number is out of its range, or options contradict each other.
    """

    model: str = DEMO
    prompts: tuple[str, ...] = ()
    chat: bool = False
    max_new_tokens: int = 10
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0
    dtype: str | None = None
    device: str | None = None
    device_map: str | None = None
    tp_plan: str | None = None
    attn_implementation: str | None = None
    revision: str | None = None
    gguf_file: str | None = None
    tokenizer: str | None = None
    pad_token: str | None = None
    trust_remote_code: bool = False
    tiny: bool = False
    batch_size: int | Literal["auto"] = 8
    thorough: bool = False

    def __post_init__(self) -> None:
        _require(self.max_new_tokens >= 1, f"--max-new-tokens is {self.max_new_tokens}", "Ask for at least 1.")
        _require(
            self.batch_size == "auto" or self.batch_size > 1,
            f"--batch-size is {self.batch_size}",
            "A batch of one has no padding: use 2 or more.",
        )
        _require(
            0 < self.temperature < math.inf,
            f"--temperature is {self.temperature}",
            "Use a number above 0, or leave out --do-sample.",
        )
        _require(bool(self.model), "MODEL is empty", "Give a hub id, a folder, or demo.")
        _require(abs(self.seed) < 2**63, f"--seed is {self.seed}", "Use a number of at most 63 bits.")
        _require(self.top_k is None or self.top_k >= 1, f"--top-k is {self.top_k}", "Use 1 or more.")
        _require(
            self.top_p is None or 0 < self.top_p <= 1, f"--top-p is {self.top_p}", "Use a number above 0 and up to 1."
        )
        sampling = (self.temperature, self.top_k, self.top_p) != (1.0, None, None)
        _require(
            self.do_sample or not sampling, "--temperature, --top-k and --top-p belong to sampling", "Add --do-sample."
        )
        _require(
            self.device is None or self.device_map is None, "--device and --device-map exclude each other", "Give one."
        )
        _require(self.tp_plan in {None, "auto"}, f"--tp-plan is {self.tp_plan}", "Use auto: the model's own plan.")
        for option, value in (("--device", self.device), ("--device-map", self.device_map), ("--tiny", self.tiny)):
            _require(
                self.tp_plan is None or not value,
                f"--tp-plan and {option} exclude each other",
                "Leave out one: each rank has a device of its own, and a toy needs no second one.",
            )
        _require(self.gguf_file != "", "--gguf-file is empty", "Name a file of the model's folder, or leave it out.")
        names = (self.model, self.gguf_file, self.tokenizer, self.revision, self.pad_token)
        for text in (*filter(None, names), *self.prompts):
            _require(
                _is_unicode(text), f"{text!a} is not valid UTF-8", "Rename the folder, or save the prompt as UTF-8."
            )
        for index, prompt in enumerate(self.prompts):
            _require(
                bool(prompt), f"Prompt {index} is empty", "Give it at least one character: nothing can be continued."
            )

    @property
    def given(self) -> dict[str, object]:
        """All that is not left at its default, so that the same can be asked for again."""
        values = {each.name: (getattr(self, each.name), each.default) for each in fields(self)}
        return {name: value for name, (value, default) in values.items() if value != default}


@dataclass(frozen=True, kw_only=True)
class JudgeSettings:
    """The tolerance, the rules that count, and what the verdict is about.

    `select` holds codes or prefixes of codes, and `ignore` why each of its own is left out. `known` are the findings
    of this model that a baseline accepts, by code, up to that severity. A report keeps them, so that it can be shown
    and judged anew as it was.

    Raises:
        UsageError: A tolerance is negative, or there is no reason to ignore a code.
    """

    atol: float | None = None
    rtol: float | None = None
    select: tuple[str, ...] = ()
    ignore: dict[str, str] = field(default_factory=dict)
    fail_on: Severity | None = Severity.ERROR
    task: Task | None = None
    padding_side: PaddingSide | None = None
    known: dict[str, Severity] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in (("--atol", self.atol), ("--rtol", self.rtol)):
            _require(value is None or 0 <= value < math.inf, f"{name} is {value}", "Use 0 or more.")
        for code, reason in self.ignore.items():
            _require(bool(reason.strip()), f"{code} is ignored without a reason", f'Write ignore = {{{code} = "why"}}.')

    @property
    def use(self) -> UseCase:
        """What the verdict is about."""
        return UseCase(task=self.task, padding_side=self.padding_side)

    def left_out(self, code: str) -> str | None:
        """Why a code does not count; None where it does."""
        reason = next((reason for prefix, reason in self.ignore.items() if code.startswith(prefix)), None)
        if reason is None and self.select and not code.startswith(self.select):
            return "left out by --select"
        return reason

    def knows(self, code: str, severity: Severity) -> bool:
        """True where the baseline accepts such a finding."""
        return code in self.known and severity.rank <= self.known[code].rank

    def fails(self, severity: Severity) -> bool:
        """True where a new finding of this severity makes the command fail."""
        return self.fail_on is not None and severity.rank >= self.fail_on.rank


@dataclass(frozen=True, kw_only=True)
class SurveySettings:
    """Which model types, in how many processes, and how long one may take, in seconds.

    Where none are named that is all that have a causal language model, and with `multimodal` the others as well.

    Raises:
        UsageError: A number is out of its range.
    """

    model_types: tuple[str, ...] = ()
    multimodal: bool = False
    jobs: int | None = None
    timeout: float = 120.0

    def __post_init__(self) -> None:
        _require(self.jobs is None or self.jobs >= 1, f"--jobs is {self.jobs}", "Use 1 or more.")
        _require(0 < self.timeout < math.inf, f"--timeout is {self.timeout}", "Use a number of seconds above 0.")


@dataclass(frozen=True, kw_only=True)
class OutputSettings:
    """Where the report goes and in which form; `reports` are further ones, by format.

    It is `discarded` in a process that runs the command along with another one, which writes it.
    """

    format: str = "table"
    path: Path | None = None
    reports: dict[str, Path] = field(default_factory=dict)
    quiet: bool = False
    verbose: bool = False
    discarded: bool = False


def those_of(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given for the settings of this kind, among other things."""
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in given.items() if name in names}


def _is_unicode(text: str) -> bool:
    # Python keeps bytes of a command line that are no UTF-8 as lone surrogates.
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _require(claim: bool, what: str, change: str) -> None:
    if not claim:
        raise UsageError(f"{what}.", change=change)
