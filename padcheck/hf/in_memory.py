"""A model and a tokenizer that are in memory already: measured as they are, and handed back as they were."""

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from padcheck.core.errors import NotMeasuredError, UsageError
from padcheck.core.evidence import Evidence
from padcheck.core.progress import Progress
from padcheck.core.settings import DEFAULT_PROMPTS, MeasureSettings
from padcheck.hf.library.untouched import untouched
from padcheck.hf.load.decoder_only import require_decoder_only
from padcheck.hf.load.hub import Source
from padcheck.hf.load.without_weights import ModelWithoutWeights
from padcheck.hf.measure import measure_model

Model: TypeAlias = nn.Module
"""A `PreTrainedModel` with a language model's head, or peft's wrapper around one, which is none itself."""

Tokenizer: TypeAlias = PreTrainedTokenizerBase
"""A fast or a slow one."""


def measure_in_memory(model: Model, tokenizer: Tokenizer, settings: MeasureSettings, progress: Progress) -> Evidence:
    """All that can be said of these objects, in the model's own dtype and on its own device.

    The name of the model in `settings` gives way to the one that it has itself. Of the adapters of a peft model those
    that are active count.

    Raises:
        UsageError: One of the objects is something else, or the settings do not fit it.
        NotMeasuredError: The model continues no text, has no weights, or memory ran out.
    """
    inner = _without_wrapper(model)
    _require_tokenizer(tokenizer)
    name = inner.name_or_path or type(inner).__name__
    _require_generating(name, inner)
    if inner is not model:
        name = f"{type(model).__name__} of {name}"
    given = _InMemory(inner, tokenizer)
    with untouched(model, tokenizer):
        return measure_model(replace(settings, model=name), progress, given.without_weights, given.weights)


@dataclass(frozen=True)
class _InMemory:
    """What stands in for the two steps of loading."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    def without_weights(self, settings: MeasureSettings) -> ModelWithoutWeights:
        """All of it but the weights."""
        config = self.model.config
        return ModelWithoutWeights(
            source=Source(settings.model, commit=getattr(config, "_commit_hash", None)),
            config=config,
            tokenizer=self.tokenizer,
            generation_config=self.model.generation_config,
            prompts=DEFAULT_PROMPTS,
            weights=None,
        )

    def weights(self, _loaded: ModelWithoutWeights, _settings: MeasureSettings) -> PreTrainedModel:
        """The model itself."""
        return self.model


def _without_wrapper(model: Any) -> PreTrainedModel:
    """The model itself; peft has put the layers of most kinds of adapters right into it."""
    if hasattr(model, "get_base_model"):
        if any(config.is_prompt_learning for config in model.peft_config.values()):
            raise NotMeasuredError(
                f"The {type(model).__name__} is a learned prompt.",
                meaning="peft puts it in front of each row in code of its own, before or behind the pads.",
                change="Give get_base_model(), the model that it belongs to.",
            )
        model = model.get_base_model()
    if not isinstance(model, PreTrainedModel):
        raise UsageError(
            f"The model is a {type(model).__name__}, and not a PreTrainedModel of transformers.",
            meaning="It is something else, or one is wrapped in it, as by torch.compile() or DistributedDataParallel.",
            change="Give the model inside (_orig_mod, module, pretrained_model), or its name to `padcheck compare`.",
        )
    return model


def _require_tokenizer(tokenizer: object) -> None:
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise UsageError(
            f"The tokenizer is a {type(tokenizer).__name__}, and not a tokenizer of transformers.",
            meaning="A processor of images or sound has one inside.",
            change="Give processor.tokenizer, or AutoTokenizer.from_pretrained(...).",
        )


def _require_generating(name: str, model: PreTrainedModel) -> None:
    require_decoder_only(name, model.config)
    if not model.can_generate():
        raise NotMeasuredError(
            f"{type(model).__name__} generates no text.",
            meaning="It is a bare model, or has the head of another task, such as classifying.",
            change="Load it with AutoModelForCausalLM.",
        )
    if model.device.type == "meta":
        raise NotMeasuredError(
            f"{name} is on the device meta, where there are no weights.",
            meaning="They were never loaded, or accelerate has put all of them away, the first ones too.",
            change="Load them onto a device, or give its name to `padcheck compare MODEL --tiny`, which needs none.",
        )
