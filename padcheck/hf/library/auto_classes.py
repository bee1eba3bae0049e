"""Which of transformers' Auto classes has a model's language model: the causal one, or a multimodal one around it."""

from typing import Any

import transformers
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, PretrainedConfig
from transformers.models.auto import modeling_auto

_CAUSAL = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
_IMAGE_TEXT = modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
_MULTIMODAL = getattr(modeling_auto, "MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES", {})  # sound too, since transformers 5
_ENCODERS = modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES


def causal_model_types() -> tuple[str, ...]:
    """Every model type for which the installed transformers has a causal language model, sorted."""
    return tuple(sorted(_CAUSAL))


def multimodal_model_types() -> tuple[str, ...]:
    """Every other model type with a language model that also takes images or sound, and runs without, sorted."""
    return tuple(sorted((_IMAGE_TEXT.keys() | _MULTIMODAL.keys()) - _CAUSAL.keys()))


def is_encoder(model_type: str) -> bool:
    """True where a model looks both ways unless its config says `is_decoder`."""
    return model_type in _ENCODERS


def has_language_model(config: PretrainedConfig) -> bool:
    """True where one of the Auto classes, or code that comes with the model, has a language model of this config."""
    known = config.model_type in (_CAUSAL.keys() | _IMAGE_TEXT.keys() | _MULTIMODAL.keys())
    return known or "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {})


def auto_class(config: PretrainedConfig) -> Any:
    """The Auto class that loads the language model of `config`."""
    if config.model_type in multimodal_model_types():
        return (
            AutoModelForImageTextToText if config.model_type in _IMAGE_TEXT else transformers.AutoModelForMultimodalLM
        )
    return AutoModelForCausalLM
