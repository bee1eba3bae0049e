"""Loads the weights, or builds a toy-size model: the step of loading that takes time and memory."""

import shutil
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

import torch
from transformers import PreTrainedModel

from padcheck.core.errors import NotMeasuredError, UsageError
from padcheck.core.settings import EVERY_ATTENTION, MeasureSettings
from padcheck.core.use_case import HEADS, Task
from padcheck.hf.library.auto_classes import auto_class
from padcheck.hf.library.devices import default_device
from padcheck.hf.library.malloc import return_large_blocks
from padcheck.hf.library.versions import DTYPE_ARGUMENT, WITHOUT_INITIAL_VALUES
from padcheck.hf.load.adapters import are_saved, load_adapter_weights, require_loadable
from padcheck.hf.load.gguf import conversion_bar
from padcheck.hf.load.gguf_errors import INCOMPLETE_GGUF
from padcheck.hf.load.hub import Source, load_errors_explained
from padcheck.hf.load.without_weights import ModelWithoutWeights
from padcheck.hf.parallel.ranks import share_logits, tensor_parallel
from padcheck.hf.toys.tiny_model import build_tiny_model

_CHANGES = {
    "attn_implementation": "Use eager or sdpa, or leave it out.",
    "device_map": "Use auto, or leave it out.",
    "tp_plan": "Its architecture has no tensor parallel plan: use --device-map auto, without torchrun.",
}

_SHORT_DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}

_LARGE = 2**28
"""Parameters: 1 GiB in float32. Building a model on the meta device takes time, which small models do not need."""

_FAILS_ON_META = (NotImplementedError, RuntimeError, ValueError, TypeError, AttributeError)
"""Raised if a model's own code needs the numbers of its weights. Another problem is raised again while loading."""

_ANOTHER_CHECKPOINT = (
    "The checkpoint belongs to another architecture or size than the one in config.json",
    "Check config.json against the checkpoint.",
)


class LoadedModel(NamedTuple):
    """A model in eval mode, on its device; and whether its head has random weights, since the checkpoint has none."""

    model: PreTrainedModel
    has_random_head: bool = False


def load_model(loaded: ModelWithoutWeights, settings: MeasureSettings) -> LoadedModel:
    """Loads the weights, or with `tiny` builds a toy-size model.

    For a task with a head, the head's weights may be missing: then they are random, the same for each seed.

    Raises:
        NotMeasuredError: The weights cannot be loaded, do not belong to this config, or do not fit into memory.
        UsageError: torch or the model does not support the dtype, the device or another option.
    """
    dtype, device = dtype_and_device(settings)
    has_random_head = False
    return_large_blocks()
    if loaded.adapter is not None:
        require_loadable(settings.adapter or settings.model, loaded.adapter)
    with load_errors_explained(loaded.source, "model"), _rejected_options_explained(settings), conversion_bar():
        if settings.tiny:
            model = build_tiny_model(
                loaded.config,
                seed=settings.seed,
                dtype=torch.float32 if dtype == "auto" else dtype,
                attn_implementation=settings.attn_implementation,
                trust_remote_code=settings.trust_remote_code,
                task=settings.task,
            )
            if settings.task not in HEADS:
                model.generation_config = loaded.generation_config
        else:
            load = partial(
                auto_class(loaded.config, settings.task).from_pretrained,
                loaded.source.name,
                config=loaded.config,
                trust_remote_code=settings.trust_remote_code,
                attn_implementation=settings.attn_implementation,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # _require_all_weights() names all of them
                **loaded.source.revision_arguments,
                **loaded.source.gguf_arguments,
                **{DTYPE_ARGUMENT: dtype},
            )
            placement = _placement_arguments(loaded, settings)
            if _is_large(loaded, settings):
                _compare_with_checkpoint(loaded.source, load, settings.task)
            with torch.random.fork_rng(devices=[]):
                torch.default_generator.manual_seed(settings.seed)  # for a head that the checkpoint does not have
                model, info = load(**placement)
            random_head = _require_all_weights(loaded.source, model, info, settings.task)
            if settings.tp_plan is not None:
                share_logits(model)
            if loaded.adapter is not None:
                load_adapter_weights(model, loaded.adapter)
            has_random_head = bool(random_head) and not are_saved(random_head, model)
        if settings.device_map is None and settings.tp_plan is None:
            model.to(device)
    return LoadedModel(model.eval(), has_random_head)


@contextmanager
def _rejected_options_explained(settings: MeasureSettings) -> Iterator[None]:
    """Turns transformers' error about an unsupported option into a usage error, because the model is not at fault."""
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
                raise UsageError(f"This model does not support {option} {value}.", change=_CHANGES[name]) from error
        raise


def _placement_arguments(loaded: ModelWithoutWeights, settings: MeasureSettings) -> dict[str, object]:
    """The arguments of from_pretrained() that say on which devices the weights go."""
    if settings.tp_plan is None:
        return {} if settings.device_map is None else {"device_map": settings.device_map, **_offload_folder(loaded)}
    if loaded.adapter is not None:
        raise UsageError(
            f"--tp-plan cannot be used with {settings.adapter or settings.model}, which is an adapter.",
            change="Merge it into its base model with merge_and_unload(), or use --device-map auto.",
        )
    return tensor_parallel(loaded.config, settings.tp_plan)


def _offload_folder(loaded: ModelWithoutWeights) -> dict[str, str]:
    """A temporary folder for weights that go to disk and must be rewritten; deleted together with `loaded`."""
    folder = tempfile.mkdtemp(prefix="padcheck-offload-")
    weakref.finalize(loaded, shutil.rmtree, folder, ignore_errors=True)
    return {"offload_folder": folder}


def _is_large(loaded: ModelWithoutWeights, settings: MeasureSettings) -> bool:
    """True if the model that the config describes needs more than 1 GiB in float32, and its weights are not packed."""
    if loaded.source.gguf_file is not None or getattr(loaded.config, "quantization_config", None) is not None:
        return False
    with suppress(*_FAILS_ON_META), torch.device("meta"):
        auto = auto_class(loaded.config, settings.task)
        model = auto.from_config(loaded.config, trust_remote_code=settings.trust_remote_code)
        return bool(sum(parameter.numel() for parameter in model.parameters()) > _LARGE)
    return False


def _compare_with_checkpoint(
    source: Source, load: Callable[..., tuple[PreTrainedModel, dict[str, Any]]], task: Task | None
) -> None:
    """Compares the names and shapes in the checkpoint with the config, before memory is allocated for weights.

    transformers would fill the gaps with random numbers: a config without sizes describes a model of many gigabytes.

    Raises:
        NotMeasuredError: Weights are missing or have another shape.
        Exception: Whatever from_pretrained() raises, such as an error of the hub.
    """
    with suppress(*_FAILS_ON_META):
        model, info = load(device_map="meta", **WITHOUT_INITIAL_VALUES)
        _require_all_weights(source, model, info, task)


def _require_all_weights(source: Source, model: PreTrainedModel, info: dict[str, Any], task: Task | None) -> set[str]:
    """Checks that no weight is random, except for those of a task's head.

    Returns:
        The weights of the head that are missing.

    Raises:
        NotMeasuredError: Other weights are missing, or weights have another shape.
    """
    parameters = {parameter for parameter, _ in model.named_parameters()}
    # A checkpoint of the bare model has keys without the base model's prefix, and transformers 4 reports those.
    prefix = f"{model.base_model_prefix}."
    missing = sorted(key for key in info["missing_keys"] if key in parameters or prefix + key in parameters)
    head = {key for key in missing if task in HEADS and _belongs_to_head(key, model, parameters)}
    missing = [key for key in missing if key not in head]
    mismatched = sorted(str(entry[0] if isinstance(entry, tuple) else entry) for entry in info["mismatched_keys"])
    why, change = INCOMPLETE_GGUF if source.gguf_file else _ANOTHER_CHECKPOINT
    for names, problem in (
        (missing, "are missing from the checkpoint"),
        (mismatched, "have another shape in the checkpoint"),
    ):
        if names:
            shown = ", ".join(names[:3]) + (" and others" if len(names) > len(names[:3]) else "")
            raise NotMeasuredError(
                f"{len(names)} of the weights of {source.name} {problem}: {shown}.",
                meaning=f"{why}. transformers would use random numbers instead.",
                change=f"{change} --tiny measures the architecture without weights.",
            )
    return head


def _belongs_to_head(key: str, model: PreTrainedModel, parameters: set[str]) -> bool:
    """True if a missing key is outside of the layers that all heads share; a pooler belongs to the head."""
    prefix = f"{model.base_model_prefix}."
    name = key if key in parameters else prefix + key
    if name.removeprefix(prefix).startswith("pooler."):
        return True
    return model.base_model is not model and not name.startswith(prefix)


def dtype_and_device(settings: MeasureSettings) -> tuple[Any, torch.device]:
    """The dtype and the device that the model is to run in.

    Returns:
        A torch.dtype, or "auto" for the dtype of the checkpoint; and the device.

    Raises:
        UsageError: torch does not support one of them here, or all attention implementations are requested.
    """
    if settings.attn_implementation == EVERY_ATTENTION:
        raise UsageError(
            f"--attn-implementation {EVERY_ATTENTION} works only with `padcheck compare`.",
            meaning="This command runs each model once, with one attention implementation.",
            change="Name one implementation, or leave the option out.",
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
            meaning="torch does not know it or was built without it, or this machine has no such device.",
            change="Use cpu, or a device that torch lists here.",
        ) from error
    return device


def _dtype(settings: MeasureSettings, device: torch.device) -> Any:
    """float32 on a CPU, because faults stand out from rounding best there; otherwise the checkpoint's dtype."""
    if settings.dtype is None:
        return torch.float32 if device.type == "cpu" else "auto"
    if settings.dtype == "auto":
        return "auto"
    dtype = getattr(torch, _SHORT_DTYPES.get(settings.dtype, settings.dtype), None)
    if dtype not in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        raise UsageError(
            f"A model cannot run in --dtype {settings.dtype}.",
            change="Use float32, bfloat16, float16, float64 or auto; or fp32, bf16 or fp16 for short.",
        )
    return dtype
