"""The errors that `padcheck.compare` raises."""

from padcheck.core.errors import NotMeasuredError, PadcheckError, UsageError

__all__ = ["NotMeasuredError", "PadcheckError", "UsageError"]
