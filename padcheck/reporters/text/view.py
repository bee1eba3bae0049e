"""Where a text will be read: the width of the screen, whether it has colour, and how much to show."""

from dataclasses import dataclass
from io import StringIO

from rich.console import Console

_HEIGHT = 50
"""Any number. Without a height, Rich ignores the width on a dumb terminal."""


@dataclass(frozen=True)
class View:
    """Width in columns, colour or not, and whether to show everything."""

    width: int = 80
    color: bool = False
    verbose: bool = False

    def console(self, *, record: bool = False) -> Console:
        """A console that writes to a string and reads no markup."""
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
