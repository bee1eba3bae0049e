"""What a reporter knows of the place where its text will be read."""

from dataclasses import dataclass
from io import StringIO

from rich.console import Console

_HEIGHT = 50
"""Of no meaning; but without one Rich takes a dumb terminal's width for both."""


@dataclass(frozen=True)
class View:
    """Width in columns, colour or not, and how much to say."""

    width: int = 80
    color: bool = False
    verbose: bool = False

    def console(self, *, record: bool = False) -> Console:
        """A console that writes to a string; texts from a model go in as `Text`, never as markup."""
        return Console(
            file=StringIO(),
            width=self.width,
            height=_HEIGHT,
            force_terminal=self.color,
            color_system="truecolor" if self.color else None,
            markup=False,
            emoji=False,
            highlight=False,
            record=record,
        )
