"""The options of the commands and their help texts. Names follow the arguments of transformers.

No option has a default here: the default comes from the settings or from a configuration file.
"""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from padcheck.core.severity import Severity
from padcheck.reporters import Format


class FailOn(str, Enum):
    """The lowest severity that makes the command fail."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"
    NEVER = "never"

    @property
    def severity(self) -> Severity | None:
        """None for never."""
        return None if self is FailOn.NEVER else Severity(self.value)


class Task(str, Enum):
    """What the caller does with the model."""

    GENERATE = "generate"
    SCORE = "score"
    TRAIN = "train"


class Side(str, Enum):
    """The side that the caller pads on."""

    LEFT = "left"
    RIGHT = "right"


def _reports(incomplete: str) -> list[str]:
    """Shell completion of --report: the formats."""
    return [f"{fmt.value}=" for fmt in Format if fmt.value.startswith(incomplete)]


def _codes(incomplete: str) -> list[str]:
    """Shell completion of a code."""
    from padcheck.judging.caller_rules import ALL_CODES

    return [code.code for code in ALL_CODES if code.code.startswith(incomplete.upper())]


Model = Annotated[
    str,
    typer.Argument(help="Hub id, folder, GGUF file, or `demo`: a small model inside the package.", metavar="MODEL"),
]
Models = Annotated[
    list[str] | None,
    typer.Argument(
        help="Hub ids, folders, GGUF files, or `demo`. [default: the models that the file lists]",
        metavar="MODEL",
        show_default=False,
    ),
]
ModelTypes = Annotated[
    list[str] | None,
    typer.Argument(help="Model types, such as llama. [default: all]", metavar="MODEL_TYPE", show_default=False),
]
ReportFile = Annotated[Path, typer.Argument(help="A report written with --format json.", metavar="REPORT.json")]
Code = Annotated[str, typer.Argument(help="A code such as PAD202, or its name.", metavar="CODE", autocompletion=_codes)]

Revision = Annotated[
    str | None, typer.Option("--revision", metavar="NAME", help="Branch, tag or commit on the hub. [default: main]")
]
GgufFile = Annotated[
    str | None,
    typer.Option(
        "--gguf-file",
        metavar="NAME",
        help="GGUF file in the folder or repository. It holds config, tokenizer and weights.",
    ),
]
Tokenizer = Annotated[
    str | None,
    typer.Option("--tokenizer", metavar="MODEL", help="Hub id or folder of the tokenizer. [default: the model's]"),
]
TrustRemoteCode = Annotated[
    bool | None, typer.Option("--trust-remote-code", help="Run Python code that comes with the model.")
]
Dtype = Annotated[
    str | None,
    typer.Option(
        "--dtype",
        metavar="NAME",
        help="Dtype of the weights: float32, bfloat16, float16 or auto. [default: float32 on a CPU, otherwise auto]",
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="NAME",
        help="Where to run: cpu, cuda, cuda:1, mps, xpu, ... [default: an accelerator if there is one]",
    ),
]
DeviceMap = Annotated[
    str | None,
    typer.Option(
        "--device-map",
        metavar="NAME",
        help="Spread the model over several devices: auto, or another device_map of transformers.",
    ),
]
TpPlan = Annotated[
    str | None,
    typer.Option(
        "--tp-plan", metavar="NAME", help="Split each layer over the processes of torchrun. The only value is auto."
    ),
]
AttnImplementation = Annotated[
    str | None,
    typer.Option(
        "--attn-implementation",
        metavar="NAME",
        help="eager, sdpa, flash_attention_2, ... `compare` also takes all: each in turn. [default: the model's]",
    ),
]
Tiny = Annotated[
    bool | None,
    typer.Option("--tiny", help="Build the architecture at toy size with random weights. No weights are downloaded."),
]

Prompt = Annotated[
    list[str] | None,
    typer.Option("--prompt", metavar="TEXT", help="A prompt. Can be given several times. [default: built-in prompts]"),
]
Prompts = Annotated[
    str | None,
    typer.Option(
        "--prompts",
        help='File with one prompt per line, or JSONL with the key "prompt". - is stdin.',
        metavar="FILE",
    ),
]
Chat = Annotated[bool | None, typer.Option("--chat", help="Apply the chat template to each prompt.")]
PadToken = Annotated[
    str | None,
    typer.Option(
        "--pad-token",
        metavar="TOKEN",
        help="Pad with this token of the vocabulary. [default: the tokenizer's, otherwise eos or unk]",
    ),
]
MaxNewTokens = Annotated[
    int | None,
    typer.Option("--max-new-tokens", metavar="N", help="Tokens to generate per prompt. [default: 10; survey: 6]"),
]
DoSample = Annotated[
    bool | None,
    typer.Option(
        "--do-sample",
        help="Sample the tokens. All runs use the same random numbers, so they can be compared.",
    ),
]
Temperature = Annotated[
    float | None,
    typer.Option("--temperature", metavar="X", help="Sampling temperature, with --do-sample. [default: 1.0]"),
]
TopK = Annotated[
    int | None,
    typer.Option("--top-k", metavar="N", help="Sample from the N likeliest tokens, with --do-sample. [default: all]"),
]
TopP = Annotated[
    float | None,
    typer.Option(
        "--top-p",
        metavar="X",
        help="Sample from the likeliest tokens that together have probability X, with --do-sample. [default: all]",
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed", metavar="N", help="Seed for sampling, for probes and for the weights of a toy. [default: 0]"
    ),
]
BatchSize = Annotated[
    str | None,
    typer.Option(
        "--batch-size",
        metavar="N",
        help="Prompts per padded batch, or auto: as many as fit into memory, up to 64. [default: 8]",
    ),
]

Thorough = Annotated[
    bool | None, typer.Option("--thorough", help="Run every probe on every prompt, even if nothing differs.")
]

Multimodal = Annotated[
    bool | None,
    typer.Option("--multimodal", help="Also check the language models of multimodal model types, on text only."),
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", metavar="N", help="Processes to run at a time. [default: one per core, up to 8]"),
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Run on this Ray cluster, one task per model: auto, local, HOST:PORT or ray://HOST:PORT.",
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", metavar="SECONDS", help="Time limit for each model type, in seconds. [default: 120]"),
]

TaskOption = Annotated[
    Task | None,
    typer.Option("--task", help="What your code does with the model. Only this task is judged. [default: all]"),
]
PaddingSideOption = Annotated[
    Side | None,
    typer.Option("--padding-side", help="The side that your code pads on. Only this side is judged. [default: both]"),
]
Atol = Annotated[
    float | None, typer.Option("--atol", metavar="X", help="Allowed absolute difference of logits. [default: measured]")
]
Rtol = Annotated[
    float | None,
    typer.Option(
        "--rtol",
        metavar="X",
        help="Allowed difference as a share of the largest logit, added to --atol. [default: measured]",
    ),
]
Select = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        help="Report only these codes. Prefixes such as PAD1 are allowed. [default: all]",
        metavar="CODE[,CODE]",
        autocompletion=_codes,
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option(
        "--ignore",
        help="Do not report these codes. Prefixes such as PAD1 are allowed.",
        metavar="CODE[,CODE]",
        autocompletion=_codes,
    ),
]
FailOnOption = Annotated[
    FailOn | None,
    typer.Option("--fail-on", help="Lowest severity that makes the exit code 1. [default: error]"),
]

FormatOption = Annotated[Format | None, typer.Option("--format", help="Format of the report. [default: table]")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write the report to this file. [default: stdout]", metavar="FILE")
]
Quiet = Annotated[bool | None, typer.Option("--quiet", "-q", help="Show no progress, and only errors on stderr.")]
VerboseSurvey = Annotated[bool | None, typer.Option("--verbose", "-v", help="Show findings in full, and tracebacks.")]
Verbose = Annotated[
    bool | None,
    typer.Option("--verbose", "-v", help="Show the tokens of every prompt, undecided rules, tracebacks and times."),
]
ReportsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--report",
        help="Also write the report in this format. Can be given several times.",
        metavar="FORMAT=FILE",
        autocompletion=_reports,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        help="TOML file with the settings. [default: padcheck.toml, or [tool.padcheck] in pyproject.toml]",
        metavar="FILE",
    ),
]
BaselineOption = Annotated[
    Path | None,
    typer.Option("--baseline", help="Accept the findings in this file, and fail only on new ones.", metavar="FILE"),
]
WriteBaseline = Annotated[
    bool | None, typer.Option("--write-baseline", help="Write the findings to the file of --baseline.")
]
