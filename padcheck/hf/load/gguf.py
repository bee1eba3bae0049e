"""Models in GGUF, llama.cpp's file format: chooses the file to load.

transformers reads config, tokenizer and weights from that file (`gguf_file=` of from_pretrained()) and unpacks the
weights to the requested dtype. Source: https://huggingface.co/docs/transformers/gguf
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


def split_gguf_path(model: str, gguf_file: str | None) -> tuple[str, str | None]:
    """Folder and file name if `model` is the path of a GGUF file; otherwise the arguments unchanged.

    Raises:
        UsageError: `model` is a GGUF file and `gguf_file` names another one.
    """
    path = Path(model)
    if path.suffix != _SUFFIX or not path.is_file():
        return model, gguf_file
    if gguf_file is not None:
        raise UsageError(
            f"--gguf-file {gguf_file} cannot be used with {model}, which is already a GGUF file.",
            change="Leave out --gguf-file, or give the folder.",
        )
    return str(path.parent), path.name


def choose_gguf_file(source: Source, gguf_file: str | None) -> Source:
    """The source with the GGUF file to load: the named one, or the only one in a source without other weights.

    Raises:
        UsageError: The named file does not exist, or transformers would load another file.
        NotMeasuredError: There are several files and none is named, or the package gguf is not installed.
    """
    if gguf_file is None:
        gguf_file = _only_gguf_file(source)
    else:
        _require_named_file(source, gguf_file)
    if gguf_file is None:
        return source
    if importlib.util.find_spec(_PACKAGE) is None:
        raise NotMeasuredError(
            f"{gguf_file} of {source.name} is a GGUF file, and the package gguf is not installed.",
            meaning="transformers reads GGUF files with it.",
            change="pip install 'padcheck[gguf]'",
        )
    return replace(source, gguf_file=gguf_file)


def _only_gguf_file(source: Source) -> str | None:
    if source.has("config.json") or source.has(ADAPTER_CONFIG):
        return None
    names = _names(source)
    found = [name for name in names if name.endswith(_SUFFIX)]
    if not found or any(name.endswith(_OTHER_WEIGHTS) for name in names):
        return None
    if len(found) > 1:
        raise NotMeasuredError(
            f"{source.name} contains {len(found)} GGUF files: {_listed(found)}.",
            meaning="They are usually one model in several quantizations, or the parts of a split model.",
            change=f"Choose one: --gguf-file {found[0]}",
        )
    return found[0]


def _require_named_file(source: Source, gguf_file: str) -> None:
    if source.has(ADAPTER_CONFIG):
        raise UsageError(
            f"--gguf-file cannot be used with {source.name}, which is an adapter.",
            meaning="An adapter is loaded onto the base model that it names.",
            change="Leave out --gguf-file, or give the GGUF file without the adapter.",
        )
    is_folder = Path(source.name).is_dir()
    if source.outage is None and not source.has(gguf_file):
        found = [name for name in _names(source) if name.endswith(_SUFFIX)]
        raise UsageError(
            f"{source.name} has no file {gguf_file}.",
            meaning=f"Its GGUF files are {_listed(found)}." if found else "It contains no GGUF file.",
            change=f"Choose one: --gguf-file {found[0]}" if found else "Leave out --gguf-file, or name another model.",
        )
    if not is_folder and Path(gguf_file).is_file():
        raise UsageError(
            f"{gguf_file} exists in the current folder and in {source.name}.",
            meaning="transformers would read the weights from the local file, and everything else from the other one.",
            change=f"Give ./{gguf_file} as the model, or start padcheck in another folder.",
        )


def _names(source: Source) -> list[str]:
    """The names of the files in a folder, without subfolders, or in a repository; empty during an outage."""
    folder = Path(source.name)
    return sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else sorted(source.files)


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_MOST_NAMES]) + (", ..." if len(names) > _MOST_NAMES else "")


def is_unpacked(model: PreTrainedModel) -> bool:
    """True if the model comes from a GGUF file and all its weights are floating-point numbers.

    transformers 5 marks every model from a GGUF file as quantized, even if its weights are unpacked.
    """
    method = getattr(model, "quantization_method", None)
    is_gguf = getattr(method, "value", method) == GGUF_METHOD
    return is_gguf and all(parameter.is_floating_point() for parameter in model.parameters())


@contextmanager
def conversion_bar() -> Iterator[None]:
    """Within the context, the progress bar of the GGUF conversion obeys transformers' switch for progress bars.

    Without this it is always drawn, because transformers calls tqdm directly there.
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
