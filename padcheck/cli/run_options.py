"""The options of `padcheck run`."""

from typing import Annotated

import typer

Program = Annotated[
    list[str],
    typer.Argument(help="A Python script, and its own arguments.", metavar="SCRIPT [ARGS]...", show_default=False),
]
AsModule = Annotated[bool | None, typer.Option("-m", help="SCRIPT is the name of a module, as for `python -m`.")]
EveryCall = Annotated[
    bool | None,
    typer.Option("--all", help="Check every call. [default: the first three at each line, and new shapes of padding]"),
]
