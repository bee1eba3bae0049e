"""Remembers which columns a cache of keys and values holds."""

from typing import Any

from torch.utils.weak import WeakIdKeyDictionary

from padcheck.watching.layout import Layout


class Caches:
    """The caches that the watched calls returned, as long as they exist."""

    def __init__(self) -> None:
        self._layouts = WeakIdKeyDictionary()

    def add(self, cache: Any, layout: Layout) -> None:
        """Remembers the columns of a cache; anything else is ignored."""
        if _length(cache) is not None:
            self._layouts[_key(cache)] = layout

    def find(self, cache: Any) -> Layout | None:
        """The columns of a cache; None if it is unknown or has changed since."""
        length = _length(cache)
        if length is None:
            return None
        layout: Layout | None = self._layouts.get(_key(cache))  # type: ignore[no-untyped-call]
        return layout if layout is not None and layout.width == length else None


def _length(cache: Any) -> int | None:
    """The number of columns; None if it is not a cache of columns."""
    if isinstance(cache, tuple):  # the form of older versions: (keys, values) for each layer
        keys = cache[0][0] if cache and isinstance(cache[0], tuple) else None
        return None if keys is None else int(keys.shape[-2])
    return int(cache.get_seq_length()) if hasattr(cache, "get_seq_length") else None


def _key(cache: Any) -> Any:
    return cache[0][0] if isinstance(cache, tuple) else cache
