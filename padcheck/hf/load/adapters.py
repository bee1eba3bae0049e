"""PEFT adapters: finds the base model of an adapter, and adds the adapter's weights to that model."""

import importlib.util
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
from safetensors import safe_open
from transformers import PreTrainedModel

from padcheck.core.errors import NotMeasuredError
from padcheck.hf.library.exceptions import shortened
from padcheck.hf.load.bounded_requests import bounded_requests
from padcheck.hf.load.git_lfs import pointer_error
from padcheck.hf.load.hub import Source

ADAPTER_CONFIG = "adapter_config.json"
_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
_PROMPTS = {"PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "CPT"}
"""The peft types that insert learned tokens before each row. transformers cannot load them."""


_LAST_OF_HEAD = re.compile(r".*\.(score|classifier)(\.out_proj)?\.weight")
"""The weight that makes the logits of a classifier, (labels, width)."""


_SAVED = re.compile(r"\.modules_to_save\.\w+\.")
"""What peft adds to the name of a weight that it trains and saves as a whole."""


@dataclass(frozen=True)
class Adapter:
    """An adapter's local files and its base model.

    Attributes:
        folder: The folder with adapter_config.json and the adapter's weights.
        base: Hub id or folder of the base model.
        base_revision: The revision of the base model that it was trained on; None if the adapter does not say.
        is_prompt: Its weights are learned tokens, or learned keys and values, before each prompt.
    """

    folder: Path
    base: str
    base_revision: str | None
    is_prompt: bool


def find_adapter(source: Source, base: str | None = None) -> Adapter | None:
    """Reads the adapter's config; returns None if the source is a complete model.

    Args:
        source: Where the adapter is.
        base: Its base model; None for the one that its config names.

    Raises:
        NotMeasuredError: The adapter does not name its base model.
        Exception: Whatever the hub's client or the JSON parser raises.
    """
    if not source.has(ADAPTER_CONFIG):
        return None
    folder = Path(source.name) if Path(source.name).is_dir() else _download(source)
    settings = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    base = base or settings.get("base_model_name_or_path")
    if not base or not isinstance(base, str):
        raise NotMeasuredError(
            f"The adapter {source.name} does not name its base model.",
            meaning=f"In {ADAPTER_CONFIG}, base_model_name_or_path is missing or is not a name.",
            change="Correct it, or merge the adapter into its base model and give the result.",
        )
    kind = str(settings.get("peft_type", ""))
    return Adapter(folder, base, settings.get("revision"), kind in _PROMPTS)


def require_loadable(name: str, adapter: Adapter) -> None:
    """Checks, before the large base model is loaded, that the adapter can be loaded.

    Raises:
        NotMeasuredError: The adapter has no weights or is of a kind that transformers does not load, or peft is not
            installed.
    """
    if adapter.is_prompt:
        raise NotMeasuredError(
            f"{name} is a learned prompt, which transformers cannot load.",
            meaning="peft inserts it into each row with its own code, before or after the pads.",
            change=f"Measure {adapter.base}, its base model.",
        )
    if not any((adapter.folder / file).is_file() for file in _WEIGHTS):
        raise NotMeasuredError(
            f"{name} is an adapter without weights.",
            meaning=f"It has {ADAPTER_CONFIG}, but neither {' nor '.join(_WEIGHTS)}.",
            change="Save it again with save_pretrained(), or download it again.",
        )
    if importlib.util.find_spec("peft") is None:
        raise NotMeasuredError(
            f"{name} is an adapter, and peft is not installed.",
            meaning="transformers loads adapters with peft.",
            change="pip install peft",
        )


def num_labels(adapter: Adapter) -> int | None:
    """How many labels the classification head has that was saved with the adapter; None if none was.

    The config of the base model does not know: it has another head, or none.
    """
    weights = adapter.folder / _WEIGHTS[0]
    if not weights.is_file():
        return None
    with safe_open(weights, framework="pt") as file:
        heads = [name for name in file.keys() if _LAST_OF_HEAD.fullmatch(name)]  # noqa: SIM118  not a dict
        return int(file.get_slice(heads[0]).get_shape()[0]) if heads else None


def are_saved(names: Iterable[str], model: PreTrainedModel) -> bool:
    """True if an adapter on this model has brought all of these weights, as it does with a head that was trained."""
    return set(names) <= {_SAVED.sub(".", name) for name, _ in model.named_parameters() if _SAVED.search(name)}


def load_adapter_weights(model: PreTrainedModel, adapter: Adapter) -> None:
    """Adds the adapter's weights to its base model, in place, with transformers' own load_adapter().

    Raises:
        NotMeasuredError: The weights do not fit the model.
    """
    try:
        model.load_adapter(str(adapter.folder))
    except Exception as error:
        raise pointer_error(str(adapter.folder), "model") or NotMeasuredError(
            f"The adapter does not fit {adapter.base}: {type(error).__name__}: {shortened(error)}",
            meaning="It was trained on another model or another size of it, after resize_token_embeddings() (for an "
            "added pad token, for example), or with a newer peft.",
            change=f"Check base_model_name_or_path in {ADAPTER_CONFIG}, and upgrade peft. If the embedding was "
            "resized, merge the adapter into its base model with merge_and_unload(), and give the result.",
        ) from error


def _download(source: Source) -> Path:
    with bounded_requests():
        folder = huggingface_hub.snapshot_download(
            source.name,
            revision=source.revision,
            allow_patterns=["adapter_*"],
            local_files_only=source.outage is not None,
        )
    return Path(folder)
