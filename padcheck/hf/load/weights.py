"""Loads the weights, or builds the architecture at toy size: the one step that takes long, and memory."""

import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import PreTrainedModel

from padcheck.core.errors import NotMeasuredError, UsageError
from padcheck.core.settings import EVERY_ATTENTION, MeasureSettings
from padcheck.hf.library.auto_classes import auto_class
from padcheck.hf.library.devices import default_device
from padcheck.hf.library.malloc import return_large_blocks
from padcheck.hf.library.versions import DTYPE_ARGUMENT
from padcheck.hf.load.adapters import put_on, require_loadable
from padcheck.hf.load.gguf import conversion_bar
from padcheck.hf.load.gguf_errors import INCOMPLETE_GGUF
from padcheck.hf.load.hub import Source
from padcheck.hf.load.without_weights import Loaded, explained
from padcheck.hf.parallel.ranks import share_logits, tensor_parallel
from padcheck.hf.toys.tiny_model import build_tiny_model

_CHANGES = {
    "attn_implementation": "Use eager or sdpa, or leave it out.",
    "device_map": "Use auto, or leave it out.",
    "tp_plan": "Its architecture has no plan: use --device-map auto, which needs no torchrun.",
}

_ANOTHER_CHECKPOINT = (
    "The checkpoint belongs to another architecture or size than config.json says",
    "Check config.json against the checkpoint.",
)


def load_model(loaded: Loaded, settings: MeasureSettings) -> PreTrainedModel:
    """Loads the weights, or with `tiny` builds the architecture at toy size; in eval mode, on its device.

    Raises:
        NotMeasuredError: The weights cannot be had, do not belong to this config, or do not fit.
        UsageError: The dtype or the device is not one that torch knows here.
    """
    dtype, device = dtype_and_device(settings)
    return_large_blocks()
    if loaded.adapter is not None:
        require_loadable(settings.model, loaded.adapter)
    with explained(loaded.source, "model"), _options_taken(settings), conversion_bar():
        if settings.tiny:
            model = build_tiny_model(
                loaded.config,
                seed=settings.seed,
                dtype=torch.float32 if dtype == "auto" else dtype,
                attn_implementation=settings.attn_implementation,
                trust_remote_code=settings.trust_remote_code,
            )
            model.generation_config = loaded.generation_config
        else:
            model, info = auto_class(loaded.config).from_pretrained(
                loaded.source.name,
                config=loaded.config,
                trust_remote_code=settings.trust_remote_code,
                attn_implementation=settings.attn_implementation,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # so that they are named below, all of them
                **_places(loaded, settings),
                **loaded.source.where,
                **loaded.source.what,
                **{DTYPE_ARGUMENT: dtype},
            )
            _require_all_weights(loaded.source, model, info)
            if settings.tp_plan is not None:
                share_logits(model)
            if loaded.adapter is not None:
                put_on(model, loaded.adapter)
        if settings.device_map is None and settings.tp_plan is None:
            model.to(device)
    return model.eval()


@contextmanager
def _options_taken(settings: MeasureSettings) -> Iterator[None]:
    """What transformers says of an option that it does not take is the user's mistake, not the model's."""
    try:
        yield
    except ValueError as error:
        options = {
            "attn_implementation": settings.attn_implementation,
            "device_map": settings.device_map,
            "tp_plan": settings.tp_plan,
        }
        for name, value in options.items():
            if value is not None and name in str(error):
                option = "--" + name.replace("_", "-")
                raise UsageError(
                    f"{option} {value} is not one that this model takes.", change=_CHANGES[name]
                ) from error
        raise


def _places(loaded: Loaded, settings: MeasureSettings) -> dict[str, object]:
    """Where the weights go, as from_pretrained() is told it."""
    if settings.tp_plan is None:
        return {} if settings.device_map is None else {"device_map": settings.device_map, **_room_on_disk(loaded)}
    if loaded.adapter is not None:
        raise UsageError(
            f"--tp-plan does not go with {settings.model}, which is an adapter.",
            change="Merge it into its model with merge_and_unload(), or use --device-map auto.",
        )
    return tensor_parallel(loaded.config, settings.tp_plan)


def _room_on_disk(loaded: Loaded) -> dict[str, str]:
    """A folder for what goes to disk and cannot be read from the checkpoint as it is; there as long as `loaded` is."""
    folder = tempfile.mkdtemp(prefix="padcheck-offload-")
    weakref.finalize(loaded, shutil.rmtree, folder, ignore_errors=True)
    return {"offload_folder": folder}


def _require_all_weights(source: Source, model: PreTrainedModel, info: dict[str, Any]) -> None:
    parameters = {parameter for parameter, _ in model.named_parameters()}
    # A checkpoint of the bare model lacks the prefix that its keys have under the head; transformers 4 reports them so.
    prefix = f"{model.base_model_prefix}."
    missing = sorted(key for key in info["missing_keys"] if key in parameters or prefix + key in parameters)
    mismatched = sorted(str(entry[0] if isinstance(entry, tuple) else entry) for entry in info["mismatched_keys"])
    why, change = INCOMPLETE_GGUF if source.gguf_file else _ANOTHER_CHECKPOINT
    for names, problem in ((missing, "are missing from the checkpoint"), (mismatched, "have another shape there")):
        if names:
            shown = ", ".join(names[:3]) + (", ..." if len(names) > len(names[:3]) else "")
            raise NotMeasuredError(
                f"{len(names)} of the weights of {source.name} {problem}: {shown}.",
                meaning=f"{why}; transformers would fill in random numbers.",
                change=f"{change} --tiny measures the architecture without weights.",
            )


def dtype_and_device(settings: MeasureSettings) -> tuple[Any, torch.device]:
    """What the model is to run in, and where; the dtype is "auto" where the checkpoint decides.

    Raises:
        UsageError: torch does not know one of them here, or several attention implementations are wanted at once.
    """
    if settings.attn_implementation == EVERY_ATTENTION:
        raise UsageError(
            f"--attn-implementation {EVERY_ATTENTION} belongs to `padcheck compare`.",
            meaning="Here each model runs in one way, which a baseline and a table of models can tell of.",
            change="Name one, or leave it out.",
        )
    device = _device(settings)
    return _dtype(settings, device), device


def _device(settings: MeasureSettings) -> torch.device:
    if settings.device is None:
        return default_device()
    try:
        device = torch.device(settings.device)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(
            f"--device {settings.device} cannot be used: {str(error).splitlines()[0]}",
            meaning="torch does not know it, or was built without it, or the machine has none.",
            change="Use cpu, or a device that torch lists here.",
        ) from error
    return device


def _dtype(settings: MeasureSettings, device: torch.device) -> Any:
    """float32 on a CPU, where faults stand out from rounding most clearly; else what the checkpoint was saved in."""
    if settings.dtype is None:
        return torch.float32 if device.type == "cpu" else "auto"
    if settings.dtype == "auto":
        return "auto"
    dtype = getattr(torch, settings.dtype, None)
    if dtype not in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        raise UsageError(
            f"--dtype {settings.dtype} is not a dtype that a model can run in.",
            change="Use float32, bfloat16, float16, float64 or auto.",
        )
    return dtype
