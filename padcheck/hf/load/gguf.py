"""Models in one GGUF file, llama.cpp's format: which file it is, and what transformers makes of it.

transformers reads config, tokenizer and weights from it (`gguf_file=` of from_pretrained()) and unpacks the weights to
the dtype that is asked for. Source: https://huggingface.co/docs/transformers/gguf
"""

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from padcheck.core.errors import NotMeasuredError, UsageError
from padcheck.hf.library.config_facts import GGUF_METHOD
from padcheck.hf.load.adapters import ADAPTER_CONFIG
from padcheck.hf.load.hub import Source

_PACKAGE = "gguf"
"""transformers reads the file with it."""

_SUFFIX = ".gguf"
_OTHER_WEIGHTS = (".safetensors", ".bin")
_MOST_NAMES = 8


def split_path(model: str, gguf_file: str | None) -> tuple[str, str | None]:
    """Folder and file name where the model is the path of a GGUF file; else both as they are.

    Raises:
        UsageError: Two files are named.
    """
    path = Path(model)
    if path.suffix != _SUFFIX or not path.is_file():
        return model, gguf_file
    if gguf_file is not None:
        raise UsageError(
            f"--gguf-file {gguf_file} does not go with {model}, which is a GGUF file already.",
            change="Leave out --gguf-file, or give the folder.",
        )
    return str(path.parent), path.name


def choose_file(source: Source, gguf_file: str | None) -> Source:
    """The source with the GGUF file that is named; where none is, with its only one if nothing else is there to load.

    Raises:
        UsageError: The file is not there, or is not what transformers would load.
        NotMeasuredError: There are several, or the package that reads them is not installed.
    """
    if gguf_file is None:
        gguf_file = _only_file(source)
    else:
        _require_named_file(source, gguf_file)
    if gguf_file is None:
        return source
    if importlib.util.find_spec(_PACKAGE) is None:
        raise NotMeasuredError(
            f"{gguf_file} of {source.name} is a GGUF file, and the package gguf is not installed.",
            meaning="transformers reads such files with that package.",
            change="pip install 'padcheck[gguf]'",
        )
    return replace(source, gguf_file=gguf_file)


def _only_file(source: Source) -> str | None:
    if source.has("config.json") or source.has(ADAPTER_CONFIG):
        return None
    names = _names(source)
    found = [name for name in names if name.endswith(_SUFFIX)]
    if not found or any(name.endswith(_OTHER_WEIGHTS) for name in names):
        return None
    if len(found) > 1:
        raise NotMeasuredError(
            f"{source.name} holds {len(found)} GGUF files: {_listed(found)}.",
            meaning="Each is a model by itself, usually the same one in several quantizations, or a part of one.",
            change=f"Choose one: --gguf-file {found[0]}",
        )
    return found[0]


def _require_named_file(source: Source, gguf_file: str) -> None:
    if source.has(ADAPTER_CONFIG):
        raise UsageError(
            f"--gguf-file does not go with {source.name}, which is an adapter.",
            meaning="An adapter names the model that it belongs to, and is loaded onto that one.",
            change="Leave out --gguf-file, or give the GGUF file without the adapter.",
        )
    is_folder = Path(source.name).is_dir()
    if source.silence is None and not source.has(gguf_file):
        found = [name for name in _names(source) if name.endswith(_SUFFIX)]
        raise UsageError(
            f"{source.name} has no file {gguf_file}.",
            meaning=f"Its GGUF files are {_listed(found)}." if found else "It holds no GGUF file.",
            change=f"Choose one: --gguf-file {found[0]}" if found else "Leave out --gguf-file, or name another model.",
        )
    if not is_folder and Path(gguf_file).is_file():
        raise UsageError(
            f"There is a {gguf_file} in the current folder as well as in {source.name}.",
            meaning="transformers would take the weights from the one here, and all else from the other.",
            change=f"Give ./{gguf_file} as the model, or start padcheck in another folder.",
        )


def _names(source: Source) -> list[str]:
    """The files of a folder, those of its subfolders left out, or of a repository as far as the hub listed them."""
    folder = Path(source.name)
    return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else sorted(source.files)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")


def is_unpacked(model: PreTrainedModel) -> bool:
    """True for the model of a GGUF file in which all weights are plain numbers, as in any other model.

    transformers 5 marks every model of a GGUF file as quantized.
    """
    method = getattr(model, "quantization_method", None)
    is_gguf = getattr(method, "value", method) == GGUF_METHOD
    return is_gguf and all(parameter.is_floating_point() for parameter in model.parameters())


@contextmanager
def conversion_bar() -> Iterator[None]:
    """Within the context the bar of the conversion is drawn only where transformers draws its other bars.

    It is tqdm's own, which knows nothing of transformers' switch.
    """
    if transformers_logging.is_progress_bar_enabled():
        yield
        return
    module: Any = importlib.import_module("transformers.modeling_gguf_pytorch_utils")
    before = module.tqdm
    module.tqdm = partial(before, disable=True)
    try:
        yield
    finally:
        module.tqdm = before
