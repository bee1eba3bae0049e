"""The options about findings and the report, with their help texts.

No option has a default here: the default comes from the settings or from a configuration file.
"""

from pathlib import Path
from typing import Annotated

import typer

from padcheck.cli.choices import FailOn
from padcheck.reporters import Format


def _reports(incomplete: str) -> list[str]:
    """Shell completion of --report: the formats."""
    return [f"{fmt.value}=" for fmt in Format if fmt.value.startswith(incomplete)]


def _codes(incomplete: str) -> list[str]:
    """Shell completion of a code."""
    from padcheck.judging.caller_rules import ALL_CODES

    return [code.code for code in ALL_CODES if code.code.startswith(incomplete.upper())]


ReportFile = Annotated[Path, typer.Argument(help="A report written with --format json.", metavar="REPORT.json")]
Code = Annotated[str, typer.Argument(help="A code such as PAD202, or its name.", metavar="CODE", autocompletion=_codes)]

Atol = Annotated[
    float | None, typer.Option("--atol", metavar="X", help="Allowed absolute difference of logits. (default: measured)")
]
Rtol = Annotated[
    float | None,
    typer.Option(
        "--rtol",
        metavar="X",
        help="Allowed difference as a share of the largest logit, added to --atol. (default: measured)",
    ),
]
Select = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        help="Report only these codes. Prefixes such as PAD1 are allowed. (default: all)",
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
    typer.Option("--fail-on", help="Lowest severity that makes the exit code 1. (default: error)"),
]

FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help="table, markdown, html, svg, json, junit, sarif or github. (default: table)",
    ),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write the report to this file. (default: stdout)", metavar="FILE")
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
        help="TOML file with the settings. (default: padcheck.toml, or tool.padcheck in pyproject.toml)",
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
