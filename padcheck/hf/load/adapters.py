"""Adapters (PEFT): a few weights in a folder or repository of their own, which names the model that they belong to."""

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
from transformers import PreTrainedModel

from padcheck.core.errors import NotMeasuredError
from padcheck.hf.library.exceptions import shortened
from padcheck.hf.load.hub import Source, bounded_requests

ADAPTER_CONFIG = "adapter_config.json"
_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
_PROMPTS = {"PROMPT_TUNING", "MULTITASK_PROMPT_TUNING", "P_TUNING", "PREFIX_TUNING", "CPT"}
"""Kinds of adapters that peft puts in front of each row, in code of its own; transformers loads none of them."""


@dataclass(frozen=True)
class Adapter:
    """Where an adapter's files lie on this machine, and what it belongs to.

    Attributes:
        folder: With adapter_config.json and the adapter's weights.
        base: Hub id or folder of the model.
        base_revision: The one that it was trained on, where it says.
        is_prompt: Its weights are a prompt, or keys and values in front of one.
    """

    folder: Path
    base: str
    base_revision: str | None
    is_prompt: bool


def find_adapter(source: Source) -> Adapter | None:
    """The adapter that a source is, or None where it is a model of its own.

    Raises:
        NotMeasuredError: It does not say which model it belongs to.
        Exception: Whatever the hub's client raises.
    """
    if not source.has(ADAPTER_CONFIG):
        return None
    folder = Path(source.name) if Path(source.name).is_dir() else _download(source)
    settings = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    base = settings.get("base_model_name_or_path")
    if not base or not isinstance(base, str):
        raise NotMeasuredError(
            f"The adapter {source.name} does not say which model it belongs to.",
            meaning=f"{ADAPTER_CONFIG} has no base_model_name_or_path, or one that is no name.",
            change="Correct it, or merge the adapter into its model and give that.",
        )
    kind = str(settings.get("peft_type", ""))
    return Adapter(folder, base, settings.get("revision"), kind in _PROMPTS)


def require_loadable(name: str, adapter: Adapter) -> None:
    """Says so before the large model is loaded that the adapter belongs to.

    Raises:
        NotMeasuredError: The adapter has no weights or is of a kind that transformers does not load, or peft is not
            installed.
    """
    if adapter.is_prompt:
        raise NotMeasuredError(
            f"{name} is a learned prompt, which transformers does not load.",
            meaning="peft puts it in front of each row in code of its own, before or behind the pads.",
            change=f"Measure {adapter.base}, the model that it belongs to.",
        )
    if not any((adapter.folder / file).is_file() for file in _WEIGHTS):
        raise NotMeasuredError(
            f"{name} is an adapter without weights.",
            meaning=f"Its config is there, but neither {' nor '.join(_WEIGHTS)}.",
            change="Save it again with save_pretrained(), or download it anew.",
        )
    if importlib.util.find_spec("peft") is None:
        raise NotMeasuredError(
            f"{name} is an adapter, and peft is not installed.",
            meaning="transformers loads adapters with that package.",
            change="pip install peft",
        )


def put_on(model: PreTrainedModel, adapter: Adapter) -> None:
    """Adds the adapter's weights to the model that it belongs to, as transformers itself does.

    Raises:
        NotMeasuredError: They do not fit.
    """
    try:
        model.load_adapter(str(adapter.folder))
    except Exception as error:
        raise NotMeasuredError(
            f"The adapter does not fit {adapter.base}: {type(error).__name__}: {shortened(error)}",
            meaning="It was trained on another model or another size of it, after resize_token_embeddings() (for a pad "
            "token that was added, say), or with a newer peft.",
            change=f"Check base_model_name_or_path in {ADAPTER_CONFIG} and upgrade peft; merge one with a resized "
            "embedding into its model with merge_and_unload(), and give the result.",
        ) from error


def _download(source: Source) -> Path:
    with bounded_requests():
        folder = huggingface_hub.snapshot_download(
            source.name,
            revision=source.revision,
            allow_patterns=["adapter_*"],
            local_files_only=source.silence is not None,
        )
    return Path(folder)
