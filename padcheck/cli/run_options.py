"""The options of `padcheck run`."""

from pathlib import Path
from typing import Annotated

import typer

Program = Annotated[
    list[str],
    typer.Argument(help="A Python script, followed by its own arguments.", metavar="SCRIPT", show_default=False),
]
AsModule = Annotated[bool | None, typer.Option("-m", help="SCRIPT is the name of a module, as for `python -m`.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write the report to this file. (default: stderr)", metavar="FILE")
]
Quiet = Annotated[bool | None, typer.Option("--quiet", "-q", help="Show only the report, no finding before.")]
Verbose = Annotated[bool | None, typer.Option("--verbose", "-v", help="Show tracebacks of padcheck's own errors.")]
Widen = Annotated[
    int | None,
    typer.Option(
        "--widen",
        min=1,
        help="Run the script again with N more pad columns in every padded batch, and compare what it prints. The "
        "script runs three or four times, and so do its side effects.",
        metavar="N",
    ),
]
EveryCall = Annotated[
    bool | None,
    typer.Option("--all", help="Check every call. (default: the first three at each line, and new shapes of padding)"),
]
