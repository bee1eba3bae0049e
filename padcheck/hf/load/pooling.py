"""Reads modules.json of a sentence-transformers model: where its transformer is, and how its pooling module pools."""

import json
from dataclasses import replace
from typing import Any

from transformers.utils import cached_file

from padcheck.core.errors import NotMeasuredError
from padcheck.hf.load.hub import Source

MODULES = "modules.json"
"""The file that lists the modules of a sentence-transformers model."""

_MODES = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
"""The keys of older versions, each with the name that newer versions give to the mode."""


def find_transformer(source: Source) -> Source:
    """The transformer of a sentence-transformers model, which may be in a subfolder; otherwise the source itself.

    Raises:
        Exception: The file cannot be fetched or read.
    """
    if source.has("config.json") or not source.has(MODULES):
        return source
    path = next((each["path"] for each in _read(source, MODULES) if each["type"].endswith("Transformer")), "")
    return replace(source, subfolder=path)


def find_pooling(source: Source) -> tuple[str, ...]:
    """The pooling modes of a sentence-transformers model, in the order in which their vectors are joined.

    Returns:
        Names such as `mean`; empty if the model is no sentence-transformers model, or has no pooling module.

    Raises:
        NotMeasuredError: The pooling is not known.
        Exception: A file cannot be fetched or read.
    """
    if not source.has(MODULES):
        return ()
    folder = next((each["path"] for each in _read(source, MODULES) if "Pooling" in each["type"]), None)
    if folder is None:
        return ()
    config = _read(source, f"{folder}/config.json")
    modes: Any = config.get("pooling_mode") or [name for key, name in _MODES.items() if config.get(key)]
    known: tuple[str, ...] = tuple([modes] if isinstance(modes, str) else modes)
    unknown = [mode for mode in known if mode not in _MODES.values()]
    unknown += [key for key in config if key.startswith("pooling_mode_") and config[key] and key not in _MODES]
    if unknown or not known:
        raise NotMeasuredError(
            f"padcheck does not know the pooling {', '.join(unknown) or 'of'} {folder}/config.json of {source.name}.",
            meaning=f"It knows {', '.join(_MODES.values())}.",
            change="Remove modules.json from a copy of the folder: then the last token, the mean and the first token "
            "are measured.",
        )
    return known


def _read(source: Source, file: str) -> Any:
    path = cached_file(source.name, file, **source.revision_arguments)
    with open(path, encoding="utf-8") as opened:  # noqa: PTH123  a path of transformers
        return json.load(opened)
