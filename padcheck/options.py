"""The options of the commands and their help texts. Names follow the transformers argument of the same meaning."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from padcheck.report import Severity
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


_MODEL, _GENERATION, _JUDGEMENT, _REPORT = "Model", "Prompts and generation", "Judgement", "Report"


def _option(*names: str, help: str, panel: str, **more: object) -> object:  # noqa: A002
    return typer.Option(*names, help=help, rich_help_panel=panel, **more)  # type: ignore[arg-type]


Model = Annotated[str, typer.Argument(help="Hub id, local folder, or `demo`, the small model inside the package.")]
ModelOrDemo = Annotated[
    str, typer.Argument(help="Hub id, local folder, or `demo`, the small model inside the package.")
]
ReportFile = Annotated[Path, typer.Argument(help="A report written with --format json.", metavar="REPORT.json")]
Code = Annotated[str, typer.Argument(help="A code such as PAD202, or its name.")]

Revision = Annotated[str | None, _option("--revision", help="Branch, tag or commit on the hub.", panel=_MODEL)]
Tokenizer = Annotated[
    str | None,
    _option("--tokenizer", help="Hub id or folder of the tokenizer, where it is not the model's.", panel=_MODEL),
]
TrustRemoteCode = Annotated[
    bool, _option("--trust-remote-code", help="Run Python code that comes with the model.", panel=_MODEL)
]
Dtype = Annotated[
    str | None,
    _option("--dtype", help="float32, bfloat16, float16 or auto. [default: float32 on a CPU, else auto]", panel=_MODEL),
]
Device = Annotated[
    str | None, _option("--device", help="cpu, cuda, cuda:1, mps. [default: cuda if there, else cpu]", panel=_MODEL)
]
DeviceMap = Annotated[
    str | None, _option("--device-map", help="Spread the model over devices, e.g. auto.", panel=_MODEL)
]
AttnImplementation = Annotated[
    str | None, _option("--attn-implementation", help="eager, sdpa, flash_attention_2, ...", panel=_MODEL)
]
Tiny = Annotated[
    bool,
    _option(
        "--tiny", help="Build the architecture at toy size with random weights: none are downloaded.", panel=_MODEL
    ),
]

Prompt = Annotated[list[str] | None, _option("--prompt", help="A prompt; give it several times.", panel=_GENERATION)]
Prompts = Annotated[
    str | None,
    _option(
        "--prompts",
        help='File with a prompt a line, or JSONL with "prompt"; - is stdin.',
        panel=_GENERATION,
        metavar="FILE",
    ),
]
Chat = Annotated[bool, _option("--chat", help="Apply the chat template to each prompt.", panel=_GENERATION)]
PadToken = Annotated[
    str | None,
    _option("--pad-token", help="Pad with this token of the vocabulary instead of the tokenizer's.", panel=_GENERATION),
]
MaxNewTokens = Annotated[int, _option("--max-new-tokens", help="How many tokens to generate.", panel=_GENERATION)]
DoSample = Annotated[
    bool,
    _option(
        "--do-sample",
        help="Sample; the arms share their randomness, so a difference means something.",
        panel=_GENERATION,
    ),
]
Temperature = Annotated[float, _option("--temperature", help="With --do-sample.", panel=_GENERATION)]
TopK = Annotated[int | None, _option("--top-k", help="With --do-sample.", panel=_GENERATION)]
TopP = Annotated[float | None, _option("--top-p", help="With --do-sample.", panel=_GENERATION)]
Seed = Annotated[int, _option("--seed", help="Of the draws, and of --tiny's weights.", panel=_GENERATION)]
BatchSize = Annotated[int, _option("--batch-size", help="Prompts in a padded batch.", panel=_GENERATION)]

Atol = Annotated[
    float | None, _option("--atol", help="Allowed difference of logits. [default: by dtype]", panel=_JUDGEMENT)
]
Rtol = Annotated[
    float | None,
    _option("--rtol", help="The same, as a share of the largest logit. [default: by dtype]", panel=_JUDGEMENT),
]
Select = Annotated[
    list[str] | None,
    _option("--select", help="Only these codes; prefixes count.", panel=_JUDGEMENT, metavar="CODE[,CODE]"),
]
Ignore = Annotated[
    list[str] | None,
    _option("--ignore", help="Not these codes; prefixes count.", panel=_JUDGEMENT, metavar="CODE[,CODE]"),
]
FailOnOption = Annotated[
    FailOn, _option("--fail-on", help="Exit with 1 on findings of this severity or a graver one.", panel=_JUDGEMENT)
]

FormatOption = Annotated[Format, _option("--format", help="How the report is written.", panel=_REPORT)]
Output = Annotated[
    Path | None, _option("--output", "-o", help="Write the report to this file.", panel=_REPORT, metavar="FILE")
]
Quiet = Annotated[bool, _option("--quiet", "-q", help="No progress, and nothing on stderr but errors.", panel=_REPORT)]
Verbose = Annotated[
    bool, _option("--verbose", "-v", help="Every prompt's columns, undecided rules, tracebacks.", panel=_REPORT)
]
