"""Finds the Auto class for a model type: AutoModelForCausalLM, or a multimodal class with a language model."""

from typing import Any

import transformers
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, PretrainedConfig
from transformers.models.auto import modeling_auto

_CAUSAL = modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
_IMAGE_TEXT = modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES
_MULTIMODAL = getattr(modeling_auto, "MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES", {})  # sound too, since transformers 5
_ENCODERS = modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES


def causal_model_types() -> tuple[str, ...]:
    """All model types for which the installed transformers has a causal language model, sorted."""
    return tuple(sorted(_CAUSAL))


def multimodal_model_types() -> tuple[str, ...]:
    """All other model types that also take images or sound, and whose language model needs neither; sorted."""
    return tuple(sorted((_IMAGE_TEXT.keys() | _MULTIMODAL.keys()) - _CAUSAL.keys()))


def is_encoder(model_type: str) -> bool:
    """True if models of this type attend in both directions unless their config sets `is_decoder`."""
    return model_type in _ENCODERS


def has_language_model(config: PretrainedConfig) -> bool:
    """True if an Auto class, or code that comes with the model, has a language model for this config."""
    known = config.model_type in (_CAUSAL.keys() | _IMAGE_TEXT.keys() | _MULTIMODAL.keys())
    return known or "AutoModelForCausalLM" in (getattr(config, "auto_map", None) or {})


def auto_class(config: PretrainedConfig) -> Any:
    """The Auto class that loads the language model of `config`."""
    if config.model_type in multimodal_model_types():
        return (
            AutoModelForImageTextToText if config.model_type in _IMAGE_TEXT else transformers.AutoModelForMultimodalLM
        )
    return AutoModelForCausalLM
