"""The options of the commands and their help texts. Names follow the transformers argument of the same meaning."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from padcheck.reporters import Format
from padcheck.severity import Severity


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


Model = Annotated[
    str, typer.Argument(help="Hub id, local folder, or `demo`, the small model inside the package.", metavar="MODEL")
]
ModelTypes = Annotated[
    list[str] | None,
    typer.Argument(
        help="Model types such as llama. [default: all of transformers]", metavar="MODEL_TYPE", show_default=False
    ),
]
ReportFile = Annotated[Path, typer.Argument(help="A report written with --format json.", metavar="REPORT.json")]
Code = Annotated[str, typer.Argument(help="A code such as PAD202, or its name.", metavar="CODE")]

Revision = Annotated[str | None, typer.Option("--revision", metavar="NAME", help="Branch, tag or commit on the hub.")]
Tokenizer = Annotated[
    str | None,
    typer.Option(
        "--tokenizer", metavar="MODEL", help="Hub id or folder of the tokenizer, where it is not the model's."
    ),
]
TrustRemoteCode = Annotated[
    bool, typer.Option("--trust-remote-code", help="Run Python code that comes with the model.")
]
Dtype = Annotated[
    str | None,
    typer.Option(
        "--dtype", metavar="NAME", help="float32, bfloat16, float16 or auto. [default: float32 on a CPU, else auto]"
    ),
]
Device = Annotated[
    str | None,
    typer.Option("--device", metavar="NAME", help="cpu, cuda, cuda:1, mps. [default: cuda if there, else cpu]"),
]
DeviceMap = Annotated[
    str | None, typer.Option("--device-map", metavar="NAME", help="Spread the model over devices, e.g. auto.")
]
AttnImplementation = Annotated[
    str | None, typer.Option("--attn-implementation", metavar="NAME", help="eager, sdpa, flash_attention_2, ...")
]
Tiny = Annotated[
    bool,
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
Chat = Annotated[bool, typer.Option("--chat", help="Apply the chat template to each prompt.")]
PadToken = Annotated[
    str | None,
    typer.Option(
        "--pad-token", metavar="TOKEN", help="Pad with this token of the vocabulary instead of the tokenizer's."
    ),
]
MaxNewTokens = Annotated[int, typer.Option("--max-new-tokens", metavar="N", help="How many tokens to generate.")]
DoSample = Annotated[
    bool,
    typer.Option(
        "--do-sample",
        help="Sample; the arms share their randomness, so a difference means something.",
    ),
]
Temperature = Annotated[float, typer.Option("--temperature", metavar="X", help="With --do-sample.")]
TopK = Annotated[int | None, typer.Option("--top-k", metavar="N", help="With --do-sample.")]
TopP = Annotated[float | None, typer.Option("--top-p", metavar="X", help="With --do-sample.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Of the draws, and of a toy's weights.")]
BatchSize = Annotated[int, typer.Option("--batch-size", metavar="N", help="Prompts in a padded batch.")]

Thorough = Annotated[bool, typer.Option("--thorough", help="Run the dear probes too, although the cheap ones agree.")]

Multimodal = Annotated[
    bool, typer.Option("--multimodal", help="Also the language models inside multimodal classes, on text alone.")
]
Jobs = Annotated[
    int | None, typer.Option("--jobs", "-j", metavar="N", help="How many processes. [default: one a core, up to 8]")
]
Timeout = Annotated[float, typer.Option("--timeout", metavar="SECONDS", help="How long one model type may take.")]

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
    typer.Option("--select", help="Only these codes; prefixes count.", metavar="CODE[,CODE]"),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", help="Not these codes; prefixes count.", metavar="CODE[,CODE]"),
]
FailOnOption = Annotated[
    FailOn, typer.Option("--fail-on", help="Exit with 1 on findings of this severity or a graver one.")
]

FormatOption = Annotated[Format, typer.Option("--format", help="How the report is written.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="Write the report to this file.", metavar="FILE")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, and nothing on stderr but errors.")]
VerboseSurvey = Annotated[bool, typer.Option("--verbose", "-v", help="Every finding in full, tracebacks.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Every prompt's columns, undecided rules, tracebacks.")]
