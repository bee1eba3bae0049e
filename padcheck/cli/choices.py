"""The values of options that take one of a few words."""

from enum import Enum

from padcheck.core.severity import Severity


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
    CLASSIFY = "classify"
    EMBED = "embed"


class Side(str, Enum):
    """The side that the caller pads on."""

    LEFT = "left"
    RIGHT = "right"
