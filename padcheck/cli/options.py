"""The options of the commands and their help texts. Names follow the transformers argument of the same meaning.

None of them has a default here: what is not given is left to the settings, or to a configuration file.
"""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from padcheck.core.severity import Severity
from padcheck.reporters import Format


class FailOn(str, Enum):
    """From which severity on findings make the command fail."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    NEVER = "never"

    @property
    def severity(self) -> Severity | None:
        """None for never."""
        return None if self is FailOn.NEVER else Severity(self.value)


class Task(str, Enum):
    """What is done with the model."""

    GENERATE = "generate"
    SCORE = "score"
    TRAIN = "train"


class Side(str, Enum):
    """Where the pads go."""

    LEFT = "left"
    RIGHT = "right"


def _reports(incomplete: str) -> list[str]:
    """What the shell offers for a report; the file is the user's to name."""
    return [f"{fmt.value}=" for fmt in Format if fmt.value.startswith(incomplete)]


def _codes(incomplete: str) -> list[str]:
    """What the shell offers for a code."""
    from padcheck.judging.rules import RULES

    return [rule.code for rule in RULES if rule.code.startswith(incomplete.upper())]


Model = Annotated[
    str,
    typer.Argument(
        help="Hub id, local folder, GGUF file, or `demo`, the small model inside the package.", metavar="MODEL"
    ),
]
Models = Annotated[
    list[str] | None,
    typer.Argument(
        help="Hub ids, local folders, GGUF files, or `demo`. [default: those of the file]",
        metavar="MODEL",
        show_default=False,
    ),
]
ModelTypes = Annotated[
    list[str] | None,
    typer.Argument(
        help="Model types such as llama. [default: all of transformers]", metavar="MODEL_TYPE", show_default=False
    ),
]
ReportFile = Annotated[Path, typer.Argument(help="A report written with --format json.", metavar="REPORT.json")]
Code = Annotated[str, typer.Argument(help="A code such as PAD202, or its name.", metavar="CODE", autocompletion=_codes)]

Revision = Annotated[str | None, typer.Option("--revision", metavar="NAME", help="Branch, tag or commit on the hub.")]
GgufFile = Annotated[
    str | None,
    typer.Option(
        "--gguf-file",
        metavar="NAME",
        help="GGUF file in the folder or repository, with config, tokenizer and weights in one.",
    ),
]
Tokenizer = Annotated[
    str | None,
    typer.Option(
        "--tokenizer", metavar="MODEL", help="Hub id or folder of the tokenizer, where it is not the model's."
    ),
]
TrustRemoteCode = Annotated[
    bool | None, typer.Option("--trust-remote-code", help="Run Python code that comes with the model.")
]
Dtype = Annotated[
    str | None,
    typer.Option(
        "--dtype", metavar="NAME", help="float32, bfloat16, float16 or auto. [default: float32 on a CPU, else auto]"
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help="cpu, cuda, cuda:1, mps, xpu, ... [default: the machine's accelerator, else cpu]",
    ),
]
DeviceMap = Annotated[
    str | None, typer.Option("--device-map", metavar="NAME", help="Spread the model over devices, e.g. auto.")
]
TpPlan = Annotated[
    str | None,
    typer.Option("--tp-plan", metavar="NAME", help="Spread each layer over the processes of torchrun, e.g. auto."),
]
AttnImplementation = Annotated[
    str | None,
    typer.Option(
        "--attn-implementation",
        metavar="NAME",
        help="eager, sdpa, flash_attention_2, ...; with compare also all: one table of all that the model has here.",
    ),
]
Tiny = Annotated[
    bool | None,
    typer.Option("--tiny", help="Build the architecture at toy size with random weights: none are downloaded."),
]

Prompt = Annotated[list[str] | None, typer.Option("--prompt", metavar="TEXT", help="A prompt; give it several times.")]
Prompts = Annotated[
    str | None,
    typer.Option(
        "--prompts",
        help='File with a prompt a line, or JSONL with "prompt"; - is stdin.',
        metavar="FILE",
    ),
]
Chat = Annotated[bool | None, typer.Option("--chat", help="Apply the chat template to each prompt.")]
PadToken = Annotated[
    str | None,
    typer.Option(
        "--pad-token", metavar="TOKEN", help="Pad with this token of the vocabulary instead of the tokenizer's."
    ),
]
MaxNewTokens = Annotated[
    int | None,
    typer.Option("--max-new-tokens", metavar="N", help="How many tokens to generate. [default: 10; survey: 6]"),
]
DoSample = Annotated[
    bool | None,
    typer.Option(
        "--do-sample",
        help="Sample; the arms share their randomness, so a difference means something.",
    ),
]
Temperature = Annotated[
    float | None, typer.Option("--temperature", metavar="X", help="With --do-sample. [default: 1.0]")
]
TopK = Annotated[int | None, typer.Option("--top-k", metavar="N", help="With --do-sample.")]
TopP = Annotated[float | None, typer.Option("--top-p", metavar="X", help="With --do-sample.")]
Seed = Annotated[
    int | None, typer.Option("--seed", metavar="N", help="Of the draws, and of a toy's weights. [default: 0]")
]
BatchSize = Annotated[
    str | None,
    typer.Option(
        "--batch-size",
        metavar="N",
        help="Prompts in a padded batch, or auto: as many as memory has room for, up to 64. [default: 8]",
    ),
]

Thorough = Annotated[
    bool | None, typer.Option("--thorough", help="Run every probe on every prompt, although nothing differs.")
]

Multimodal = Annotated[
    bool | None, typer.Option("--multimodal", help="Also the language models inside multimodal classes, on text alone.")
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", "-j", metavar="N", help="How many processes. [default: one a core, up to 8]")
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Run on this Ray cluster, one task a model: auto, local, HOST:PORT or ray://HOST:PORT.",
    ),
]
Timeout = Annotated[
    float | None, typer.Option("--timeout", metavar="SECONDS", help="How long one model type may take. [default: 120]")
]

TaskOption = Annotated[
    Task | None,
    typer.Option("--task", help="Judge what your code does with the model, and no other task. [default: all]"),
]
PaddingSideOption = Annotated[
    Side | None,
    typer.Option("--padding-side", help="Judge the side that your code pads on, and not the other. [default: both]"),
]
Atol = Annotated[
    float | None, typer.Option("--atol", metavar="X", help="Allowed difference of logits. [default: measured]")
]
Rtol = Annotated[
    float | None,
    typer.Option("--rtol", metavar="X", help="The same, as a share of the largest logit. [default: measured]"),
]
Select = Annotated[
    list[str] | None,
    typer.Option("--select", help="Only these codes; prefixes count.", metavar="CODE[,CODE]", autocompletion=_codes),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", help="Not these codes; prefixes count.", metavar="CODE[,CODE]", autocompletion=_codes),
]
FailOnOption = Annotated[
    FailOn | None,
    typer.Option("--fail-on", help="Exit with 1 on findings of this severity or a graver one. [default: error]"),
]

FormatOption = Annotated[Format | None, typer.Option("--format", help="How the report is written. [default: table]")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write the report to this file.", metavar="FILE")]
Quiet = Annotated[bool | None, typer.Option("--quiet", "-q", help="No progress, and nothing on stderr but errors.")]
VerboseSurvey = Annotated[bool | None, typer.Option("--verbose", "-v", help="Every finding in full, tracebacks.")]
Verbose = Annotated[
    bool | None, typer.Option("--verbose", "-v", help="Every prompt's columns, undecided rules, tracebacks, times.")
]
ReportsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--report",
        help="Write it in this format as well; give it several times.",
        metavar="FORMAT=FILE",
        autocompletion=_reports,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="TOML file with the settings. [default: padcheck.toml, or pyproject.toml with a [tool.padcheck]]",
        metavar="FILE",
    ),
]
BaselineOption = Annotated[
    Path | None,
    typer.Option("--baseline", help="Accept the findings of this file, and fail on new ones.", metavar="FILE"),
]
WriteBaseline = Annotated[
    bool | None, typer.Option("--write-baseline", help="Write what is found to the file of --baseline.")
]
