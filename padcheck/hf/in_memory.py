"""Measures a model and a tokenizer that are already in memory, or only a tokenizer, and restores them afterwards."""

from dataclasses import dataclass, replace
from threading import RLock
from typing import Any, TypeAlias

from torch import nn
from transformers import GenerationConfig, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from padcheck.core.errors import NotMeasuredError, UsageError
from padcheck.core.evidence import Evidence
from padcheck.core.progress import Progress
from padcheck.core.settings import DEFAULT_PROMPTS, MeasureSettings
from padcheck.core.use_case import HEADS, Task
from padcheck.hf.inspection import inspect
from padcheck.hf.library.auto_classes import scores_after_an_encoder
from padcheck.hf.library.untouched import untouched
from padcheck.hf.load.decoder_only import require_decoder_only, require_language_model
from padcheck.hf.load.hub import Source
from padcheck.hf.load.weights import LoadedModel
from padcheck.hf.load.without_weights import ModelWithoutWeights
from padcheck.hf.measure import measure_model

Model: TypeAlias = nn.Module
"""A `PreTrainedModel` with a language model's head, or a peft wrapper around one (not a `PreTrainedModel` itself)."""

Tokenizer: TypeAlias = PreTrainedTokenizerBase
"""A fast or a slow tokenizer."""

Config: TypeAlias = PretrainedConfig

GenerationSettings: TypeAlias = GenerationConfig

_ONE_AT_A_TIME = RLock()
"""A second measurement waits for the first one, in any thread.

Random states, sys.stdout, warning filters and log handlers belong to the whole process, and libraries also print from
their own threads, so two measurements at a time cannot be kept apart.
"""


def measure_in_memory(model: Model, tokenizer: Tokenizer, settings: MeasureSettings, progress: Progress) -> Evidence:
    """Measures the model in its own dtype and on its own device. Waits while another thread measures.

    The model's own name replaces the one in `settings`. The active adapters of a peft model are measured with it.

    Args:
        model: A `PreTrainedModel` with a language model's head, or a peft model around one.
        tokenizer: Its tokenizer.
        settings: What to measure, and how.
        progress: Receives the stages.

    Raises:
        UsageError: One of the objects has the wrong type, or the settings do not fit the model.
        NotMeasuredError: The model generates no text, has no weights, or memory ran out.
    """
    inner = _without_wrapper(model)
    _require_tokenizer(tokenizer)
    name = inner.name_or_path or type(inner).__name__
    _require_weights(name, inner)
    if settings.task not in HEADS:
        _require_generating(name, inner, settings.task)
    if inner is not model:
        name = f"{type(model).__name__} of {name}"
    given = _InMemory(inner, tokenizer)
    with _ONE_AT_A_TIME, untouched(model, tokenizer):
        return measure_model(replace(settings, model=name), progress, given.without_weights, given.weights)


def inspect_in_memory(
    tokenizer: Tokenizer,
    config: Config | None,
    generation_config: GenerationSettings | None,
    settings: MeasureSettings,
    progress: Progress,
) -> Evidence:
    """Reads a tokenizer, and the configs if they are given. Waits while another thread measures.

    Args:
        tokenizer: The tokenizer; its name replaces the one in `settings`.
        config: The model's config; None if only the tokenizer is inspected.
        generation_config: None for the one that generate() derives from the config.
        settings: What to encode, and how.
        progress: Receives the stages.

    Raises:
        UsageError: One of the objects has the wrong type, or the settings do not fit the tokenizer.
        NotMeasuredError: The config is not that of a decoder-only model, or there is no token to pad with.
    """
    _require_tokenizer(tokenizer)
    _require_instance("config", config, PretrainedConfig)
    _require_instance("generation_config", generation_config, GenerationConfig)
    name = tokenizer.name_or_path or type(tokenizer).__name__
    if config is None:
        config = PretrainedConfig()
    else:
        require_decoder_only(name, config)
        require_language_model(name, config)
    if generation_config is None:
        generation_config = GenerationConfig.from_model_config(config)
    loaded = ModelWithoutWeights(
        Source(name), config, tokenizer, generation_config, prompts=DEFAULT_PROMPTS, weights=None
    )
    with _ONE_AT_A_TIME, untouched(nn.Module(), tokenizer, config, generation_config):
        return inspect(replace(settings, model=name), progress, lambda _settings: loaded).evidence


@dataclass(frozen=True)
class _InMemory:
    """Replaces the two steps of loading."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    def without_weights(self, settings: MeasureSettings) -> ModelWithoutWeights:
        """Everything about the model except its weights."""
        config = self.model.config
        return ModelWithoutWeights(
            source=Source(settings.model, commit=getattr(config, "_commit_hash", None)),
            config=config,
            tokenizer=self.tokenizer,
            generation_config=getattr(self.model, "generation_config", None) or GenerationConfig(),
            prompts=DEFAULT_PROMPTS,
            weights=None,
        )

    def weights(self, _loaded: ModelWithoutWeights, _settings: MeasureSettings) -> LoadedModel:
        """The model itself."""
        return LoadedModel(self.model)


def _without_wrapper(model: Any) -> PreTrainedModel:
    """The model without peft's wrapper. The layers of most adapters are inside the model."""
    is_module = isinstance(model, nn.Module)  # and not the class of one
    if is_module and hasattr(model, "get_base_model"):
        if any(config.is_prompt_learning for config in model.peft_config.values()):
            raise NotMeasuredError(
                f"The {type(model).__name__} is a learned prompt.",
                meaning="peft inserts it into each row with its own code, before or after the pads.",
                change="Give its base model: get_base_model().",
            )
        model = model.get_base_model()
    if not isinstance(model, PreTrainedModel):
        raise UsageError(
            f"The model is a {type(model).__name__}, not a PreTrainedModel of transformers.",
            meaning="It is another kind of object, or a wrapper, as from torch.compile() or DistributedDataParallel.",
            change="Give the model inside (_orig_mod, module, pretrained_model), or its name to `padcheck compare`.",
        )
    return model


def _require_tokenizer(tokenizer: object) -> None:
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise UsageError(
            f"The tokenizer is a {type(tokenizer).__name__}, not a tokenizer of transformers.",
            meaning="If it is a processor for images or sound, it contains a tokenizer.",
            change="Give processor.tokenizer, or AutoTokenizer.from_pretrained(...).",
        )


def _require_instance(option: str, value: object, kind: type) -> None:
    if value is not None and not isinstance(value, kind):
        raise UsageError(
            f"The {option} is a {type(value).__name__}, not a {kind.__name__} of transformers.",
            change=f"Give model.{option}, or {kind.__name__}.from_pretrained(...).",
        )


def _require_generating(name: str, model: PreTrainedModel, task: Task | None) -> None:
    if not scores_after_an_encoder(model.config, task):
        require_decoder_only(name, model.config)
    if not model.can_generate():
        raise NotMeasuredError(
            f"{type(model).__name__} generates no text.",
            meaning="It is a bare model, or has the head of another task, such as classification.",
            change='Load it with AutoModelForCausalLM, or give task="classify" to measure a classifier.',
        )


def _require_weights(name: str, model: PreTrainedModel) -> None:
    if model.device.type == "meta":
        raise NotMeasuredError(
            f"{name} is on the device meta, which has no weights.",
            meaning="The weights were never loaded, or accelerate has moved them away, including the first ones.",
            change="Load them onto a device, or run `padcheck compare MODEL --tiny`, which needs no weights.",
        )
