"""Refuses models that are not decoder-only language models, by their config."""

from transformers import PretrainedConfig

from padcheck.core.errors import NotMeasuredError
from padcheck.hf.library.auto_classes import has_language_model, is_encoder

_GIVE_ANOTHER = "Give a decoder-only (causal) language model."


def require_decoder_only(name: str, config: PretrainedConfig) -> None:
    """Checks that the model has no encoder and is not one.

    Args:
        name: The model's name, for the message.
        config: The model's config.

    Raises:
        NotMeasuredError: The model is an encoder-decoder or an encoder-only model.
    """
    if config.is_encoder_decoder:
        raise NotMeasuredError(
            f"{name} ({config.model_type}) is an encoder-decoder model.",
            meaning="Its prompt goes through an encoder, where right padding with a mask is normal. Its decoder starts "
            "from a start token, so the padding side does not change where it continues.",
            change=_GIVE_ANOTHER,
        )
    if is_encoder(config.model_type) and not getattr(config, "is_decoder", False):
        raise NotMeasuredError(
            f"{name} ({config.model_type}) is an encoder-only model.",
            meaning="It does not continue a text, so padding cannot change what it generates. With either padding "
            "side it only needs the attention_mask.",
            change=_GIVE_ANOTHER,
        )


def require_language_model(name: str, config: PretrainedConfig) -> None:
    """Checks that transformers, or code that comes with the model, has a language model for this config.

    Args:
        name: The model's name, for the message.
        config: The model's config.

    Raises:
        NotMeasuredError: There is no such class.
    """
    if not has_language_model(config):
        raise NotMeasuredError(
            f"{name} ({config.model_type}) is not a language model that transformers knows.",
            meaning="Neither AutoModelForCausalLM nor an Auto class for models that also take images or sound lists "
            "it.",
            change=_GIVE_ANOTHER,
        )
