"""How bad a finding is."""

from enum import Enum


class Severity(str, Enum):
    """How bad a finding is.

    error: a batch gives wrong results or crashes, even if the caller does everything right.
    warning: the default or most common way of calling gives wrong results or crashes.
    info: worth knowing; nothing is wrong.
    """

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def rank(self) -> int:
        """0 for info, 1 for warning, 2 for error."""
        return list(Severity).index(self)
