"""Finds the Auto class for a model type: of a language model, or of the head that a task needs."""

from typing import Any

import transformers
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    PretrainedConfig,
)
from transformers.models.auto import modeling_auto

from padcheck.core.use_case import Task

_CAUSAL = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
_IMAGE_TEXT = modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
_MULTIMODAL = getattr(modeling_auto, "MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES", {})  # sound too, since transformers 5
_ENCODERS = modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES

_DECODING = modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES

_HEADS: dict[Task, tuple[Any, Any]] = {
    "classify": (
        AutoModelForSequenceClassification,
        modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
    ),
    "embed": (AutoModel, modeling_auto.MODEL_MAPPING_NAMES),
}
"""For each task with a head: the Auto class, and the model types that have such a class."""


def causal_model_types() -> tuple[str, ...]:
    """All model types for which the installed transformers has a causal language model, sorted."""
    return tuple(sorted(_CAUSAL))


def multimodal_model_types() -> tuple[str, ...]:
    """All other model types that also take images or sound, and whose language model needs neither; sorted."""
    return tuple(sorted((_IMAGE_TEXT.keys() | _MULTIMODAL.keys()) - _CAUSAL.keys()))


def is_encoder(model_type: str) -> bool:
    """True if models of this type attend in both directions unless their config sets `is_decoder`."""
    return model_type in _ENCODERS


def model_types_for(task: Task | None) -> tuple[str, ...]:
    """All model types for which the installed transformers has the class that a task needs, sorted."""
    if task == "embed":  # the mapping also has models without text
        texts = _CAUSAL.keys() | _ENCODERS.keys() | _HEADS["classify"][1].keys()
        return tuple(sorted(texts & _HEADS["embed"][1].keys()))
    if task in _HEADS:
        return tuple(sorted(_HEADS[task][1]))
    if task == "score":
        return tuple(sorted({*causal_model_types(), *multimodal_model_types(), *_DECODING}))
    return tuple(sorted({*causal_model_types(), *multimodal_model_types()}))


def has_head(config: PretrainedConfig, task: Task) -> bool:
    """True if an Auto class, or code that comes with the model, has the head of this task for this config."""
    auto, model_types = _HEADS[task]
    return config.model_type in model_types or auto.__name__ in (getattr(config, "auto_map", None) or {})


def has_language_model(config: PretrainedConfig) -> bool:
    """True if an Auto class, or code that comes with the model, has a language model for this config."""
    known = config.model_type in (_CAUSAL.keys() | _IMAGE_TEXT.keys() | _MULTIMODAL.keys())
    return known or "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {})


def decodes_after_an_encoder(model_type: str) -> bool:
    """True if models of this type encode a prompt and decode a text."""
    return model_type in _DECODING


def scores_after_an_encoder(config: PretrainedConfig, task: Task | None) -> bool:
    """True if the task is to score, and the model encodes the prompt and decodes what is scored."""
    own_code = "AutoModelForSeq2SeqLM" in (getattr(config, "auto_map", None) or {})
    known = own_code or decodes_after_an_encoder(config.model_type)
    return task == "score" and bool(config.is_encoder_decoder) and known


def tasks_of(config: PretrainedConfig) -> tuple[Task, ...]:
    """The tasks besides generating that transformers has a class for."""
    heads = [task for task in _HEADS if has_head(config, task)]
    return ("score", *heads) if scores_after_an_encoder(config, "score") else tuple(heads)


def auto_class(config: PretrainedConfig, task: Task | None = None) -> Any:
    """The Auto class that loads the model of `config` for a task; the language model if the task has no head."""
    if task in _HEADS:
        return _HEADS[task][0]
    if scores_after_an_encoder(config, task):
        return AutoModelForSeq2SeqLM
    if config.model_type in multimodal_model_types():
        return (
            AutoModelForImageTextToText if config.model_type in _IMAGE_TEXT else transformers.AutoModelForMultimodalLM
        )
    return AutoModelForCausalLM
