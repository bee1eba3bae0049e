"""The errors that `padcheck.compare` raises, for callers that catch them."""

from padcheck.core.errors import NotMeasuredError, PadcheckError, UsageError

__all__ = ["NotMeasuredError", "PadcheckError", "UsageError"]
