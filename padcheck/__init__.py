"""Shows what left and right padding do to a causal language model."""

from typing import TYPE_CHECKING, Any

from padcheck import errors
from padcheck.core.version import __version__

if TYPE_CHECKING:
    from padcheck.api import Report as Report
    from padcheck.api import compare as compare
    from padcheck.api import inspect_tokenizer as inspect_tokenizer
    from padcheck.api import watch as watch

__all__ = ["Report", "__version__", "compare", "errors", "inspect_tokenizer", "watch"]


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import random  # noqa: PLC0415  keeps `import padcheck` and `padcheck --help` fast, as the import of api does

    state = random.getstate()
    from padcheck import api  # noqa: PLC0415

    random.setstate(state)  # Rich draws a random number when it is imported
    globals().update({each: getattr(api, each) for each in api.__all__})
    return getattr(api, name)
