"""Adapters (PEFT): a few weights in a folder or repository of their own, which names the model that they belong to."""

import importlib.util
import json
from dataclasses import dataclass
from pathlib import Path

import huggingface_hub
from transformers import PreTrainedModel

from padcheck.errors import NotMeasuredError
from padcheck.hf.hub import Source, bounded_requests
from padcheck.hf.load_errors import shortened

ADAPTER_CONFIG = "adapter_config.json"


@dataclass(frozen=True)
class Adapter:
    """Where an adapter's files lie on this machine, and what it belongs to.

    Attributes:
        folder: With adapter_config.json and the adapter's weights.
        base: Hub id or folder of the model.
        base_revision: The one that it was trained on, where it says.
    """

    folder: Path
    base: str
    base_revision: str | None


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
    if not base:
        raise NotMeasuredError(
            f"The adapter {source.name} does not say which model it belongs to.",
            meaning=f"{ADAPTER_CONFIG} has no base_model_name_or_path.",
            change="Add it, or merge the adapter into its model and give that.",
        )
    return Adapter(folder, base, settings.get("revision"))


def require_peft(name: str) -> None:
    """Says so before the large model is loaded that the adapter belongs to.

    Raises:
        NotMeasuredError: peft is not installed.
    """
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
            meaning="It was trained on another model or another size of it, or peft is older than the adapter.",
            change=f"Check base_model_name_or_path in {ADAPTER_CONFIG}, or upgrade peft.",
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
