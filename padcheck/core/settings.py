"""What the user asked for: what to measure, how to judge it, where to write the report. Invalid values raise here."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from padcheck.core.errors import UsageError
from padcheck.core.facts import PaddingSide
from padcheck.core.modes import Asked, ModeName
from padcheck.core.run_plans import MODES
from padcheck.core.severity import Severity
from padcheck.core.use_case import HEADS, Task, UseCase

EVERY_ATTENTION = "all"
"""The value of --attn-implementation that means: each one that the model can run with on this machine."""

Conversation: TypeAlias = tuple[dict[str, Any], ...]
"""The messages of a chat, each with `role` and `content`, as a chat template receives them."""

Prompt: TypeAlias = str | Conversation

DEMO = "demo"
_LARGEST_TOLERANCE = 2.0**128
"""Beyond the largest float32 number, and small enough for arithmetic."""
DEFAULT_PROMPTS = ("big unpadded five token prompt ", "padded three token ")


@dataclass(frozen=True, kw_only=True)
class MeasureSettings:
    """What to measure: the model, the prompts, how to generate. Names follow transformers; the CLI help explains each.

    `packed` also runs the prompts in one row, as the task train does by itself.

    Raises:
        UsageError: A number is out of range, or options contradict each other.
    """

    model: str = DEMO
    prompts: tuple[Prompt, ...] = ()
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
    adapter: str | None = None
    tokenizer: str | None = None
    pad_token: str | None = None
    trust_remote_code: bool = False
    tiny: bool = False
    batch_size: int | Literal["auto"] = 8
    thorough: bool = False
    packed: bool = False
    task: Task | None = None
    choices: tuple[tuple[str, ...], ...] = ()
    continuations: tuple[str, ...] = ()
    cross_limits: bool = False
    with_modes: tuple[Asked, ...] = ()

    def __post_init__(self) -> None:
        _require(self.max_new_tokens >= 1, f"--max-new-tokens is {self.max_new_tokens}", "Ask for at least 1.")
        _require(
            self.batch_size == "auto" or self.batch_size > 1,
            f"--batch-size is {self.batch_size}",
            "Use 2 or more: a batch of one prompt has no padding.",
        )
        _require(
            0 < self.temperature < math.inf,
            f"--temperature is {self.temperature}",
            "Use a number above 0, or leave out --do-sample.",
        )
        _require(bool(self.model), "MODEL is empty", "Give a hub id, a folder or demo.")
        _require(abs(self.seed) < 2**63, f"--seed is {self.seed}", "Use a number of at most 63 bits.")
        _require(self.top_k is None or self.top_k >= 1, f"--top-k is {self.top_k}", "Use 1 or more.")
        _require(
            self.top_p is None or 0 < self.top_p <= 1, f"--top-p is {self.top_p}", "Use a number above 0 and at most 1."
        )
        sampling = (self.temperature, self.top_k, self.top_p) != (1.0, None, None)
        _require(self.do_sample or not sampling, "--temperature, --top-k and --top-p need sampling", "Add --do-sample.")
        _require(
            self.device is None or self.device_map is None,
            "--device and --device-map exclude each other",
            "Give only one.",
        )
        _require(self.tp_plan in {None, "auto"}, f"--tp-plan is {self.tp_plan}", "Use auto: the model's own plan.")
        for option, value in (("--device", self.device), ("--device-map", self.device_map), ("--tiny", self.tiny)):
            _require(
                self.tp_plan is None or not value,
                f"--tp-plan and {option} exclude each other",
                "Leave out one: each rank has its own device, and a toy fits on one device.",
            )
        _require(self.gguf_file != "", "--gguf-file is empty", "Name a file in the model's folder, or leave it out.")
        for mode in self.with_modes:
            _require(mode in get_args(Asked), f"--with is {mode!r}", f"Use {', '.join(MODES)} or all.")
        _require(
            self.adapter is None or not self.tiny,
            "--adapter and --tiny exclude each other",
            "Leave out one: the weights of an adapter do not fit a toy.",
        )
        _require(
            self.task not in HEADS or not (self.with_modes or self.cross_limits),
            f"--task {self.task} generates nothing",
            "Leave out --with and --cross-limits.",
        )
        names = (self.model, self.gguf_file, self.adapter, self.tokenizer, self.revision, self.pad_token)
        for text in (*filter(None, names), *map(str, self.prompts)):
            _require(
                _is_unicode(text), f"{text!a} is not valid UTF-8", "Rename the folder, or save the prompt as UTF-8."
            )
        for index, prompt in enumerate(self.prompts):
            _require(bool(prompt), f"Prompt {index} is empty", "Give it at least one character.")
            _require(
                isinstance(prompt, str) or all(message.keys() >= {"role", "content"} for message in prompt),
                f"A message of prompt {index} has no role or no content",
                'Write {"role": "user", "content": "..."}.',
            )
        self._require_fitting_choices()

    def _require_fitting_choices(self) -> None:
        for index, choices in enumerate(self.choices):
            _require(
                isinstance(choices, tuple) and all(isinstance(text, str) for text in choices),
                f"The choices of prompt {index} are {choices!r:.60}",
                'Write a list of texts: {"prompt": "...", "choices": ["...", "..."]}.',
            )
        _require(
            all(isinstance(text, str) for text in self.continuations),
            "A continuation is a conversation",
            "Write a text in every line of the file.",
        )
        texts = [choice for choices in (*self.choices, self.continuations) for choice in choices]
        _require(not texts or self.task == "score", "Choices and continuations are scored", "Add --task score.")
        _require(
            len(self.choices) in (0, len(self.prompts)),
            f"There are choices for {len(self.choices)} prompts, and {len(self.prompts)} prompts",
            "Give each prompt a list of choices, which may be empty.",
        )
        _require(all(texts), "A choice or continuation is empty", "Give it at least one character.")
        _require(all(map(_is_unicode, texts)), "A choice or continuation is not valid UTF-8", "Save it as UTF-8.")

    @property
    def modes(self) -> tuple[ModeName, ...]:
        """The modes to run, in the order of the report."""
        return tuple(name for name in MODES if name in self.with_modes or "all" in self.with_modes)

    @property
    def given(self) -> dict[str, object]:
        """The settings that differ from their defaults."""
        values = {each.name: (getattr(self, each.name), each.default) for each in fields(self)}
        return {name: value for name, (value, default) in values.items() if value != default}


@dataclass(frozen=True, kw_only=True)
class JudgeSettings:
    """How to judge: the tolerance, the rules that count, and the use case. A report keeps them for judging it again.

    Attributes:
        atol: The absolute tolerance for logits. The tolerance is measured if neither this nor `rtol` is set.
        rtol: The tolerance as a share of the largest logit.
        select: Codes, or prefixes of codes, that count; all count if it is empty.
        ignore: The reason for each code, or prefix of codes, that does not count.
        fail_on: The lowest severity that makes the command fail; None if no finding does.
        task: What the caller does with the model; None for any task.
        padding_side: The side that the caller pads on; None for both.
        known: The highest severity that a baseline accepts for this model, by code.

    Raises:
        UsageError: A tolerance is negative, or a code is ignored without a reason.
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
            _require(value is None or 0 <= value <= _LARGEST_TOLERANCE, f"{name} is {value}", "Use 0 or more.")
        for code, reason in self.ignore.items():
            _require(bool(reason.strip()), f"{code} is ignored without a reason", f'Write ignore = {{{code} = "why"}}.')

    @property
    def use(self) -> UseCase:
        """The use case that the verdict is about."""
        return UseCase(task=self.task, padding_side=self.padding_side)

    def left_out(self, code: str) -> str | None:
        """The reason why a code does not count; None if it counts."""
        reason = self.ignores(code)
        if reason is None and self.select and not code.startswith(self.select):
            return "left out by --select"
        return reason

    def ignores(self, code: str) -> str | None:
        """The reason that the user gives for ignoring a code; None if it is not ignored."""
        return next((reason for prefix, reason in self.ignore.items() if code.startswith(prefix)), None)

    def knows(self, code: str, severity: Severity) -> bool:
        """True if the baseline accepts such a finding."""
        return code in self.known and severity.rank <= self.known[code].rank

    def fails(self, severity: Severity) -> bool:
        """True if a new finding of this severity makes the command fail."""
        return self.fail_on is not None and severity.rank >= self.fail_on.rank


@dataclass(frozen=True, kw_only=True)
class SurveySettings:
    """Which model types to survey, and how.

    Attributes:
        model_types: If it is empty, all model types with a causal language model are surveyed.
        multimodal: Also survey the language models of multimodal model types.
        jobs: How many processes run at a time; None for one per core, up to 8.
        timeout: How long one model type may take, in seconds.
        tasks: The tasks with a head that each model type also runs in, if transformers has such a class for it.

    Raises:
        UsageError: A number is out of range, or a task has no head.
    """

    model_types: tuple[str, ...] = ()
    multimodal: bool = False
    jobs: int | None = None
    timeout: float = 120.0
    tasks: tuple[Task, ...] = ()

    def __post_init__(self) -> None:
        for task in self.tasks:
            _require(task in HEADS, f"--task is {task!r}", f"Use {' or '.join(HEADS)}: the others always run.")
        _require(self.jobs is None or self.jobs >= 1, f"--jobs is {self.jobs}", "Use 1 or more.")
        _require(0 < self.timeout < math.inf, f"--timeout is {self.timeout}", "Use a number of seconds above 0.")


@dataclass(frozen=True, kw_only=True)
class OutputSettings:
    """Where the report goes and in which format.

    Attributes:
        format: The format of the main report.
        path: Its file; None for stdout.
        reports: The files of further reports, by format.
        quiet: Show no progress.
        verbose: Show every finding in full.
        discarded: Write nothing: this process is one of several that run the same command, and another one writes.
    """

    format: str = "table"
    path: Path | None = None
    reports: dict[str, Path] = field(default_factory=dict)
    quiet: bool = False
    verbose: bool = False
    discarded: bool = False


def belonging_to(kind: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """The given values that are fields of this settings class."""
    names = {each.name for each in fields(kind)}
    return {name: value for name, value in given.items() if name in names}


def _is_unicode(text: str) -> bool:
    # Python keeps command-line bytes that are not UTF-8 as lone surrogates.
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _require(claim: bool, what: str, change: str) -> None:
    if not claim:
        raise UsageError(f"{what}.", change=change)
