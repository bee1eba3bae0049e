"""Refuses models that do not suit the task, by their config: for most tasks, all but decoder-only language models."""

from transformers import PretrainedConfig

from padcheck.core.errors import NotMeasuredError
from padcheck.core.use_case import HEADS, Task
from padcheck.hf.library.auto_classes import (
    has_head,
    has_language_model,
    is_encoder,
    scores_after_an_encoder,
    tasks_of,
)
from padcheck.hf.toys.architectures import is_architecture_name

_HEAD_NAMES: dict[Task, str] = {"classify": "sequence classifier", "embed": "model without a head"}


def require_suitable(name: str, config: PretrainedConfig, task: Task | None) -> None:
    """Checks that there is a class that loads the model for this task.

    Args:
        name: The model's name, for the message.
        config: The model's config.
        task: What the caller does with the model.

    Raises:
        NotMeasuredError: The model does not suit the task.
    """
    if scores_after_an_encoder(config, task):
        return
    if task not in HEADS:
        require_decoder_only(name, config)
        require_language_model(name, config)
    elif not has_head(config, task):
        raise NotMeasuredError(
            f"{name} ({config.model_type}) has no {_HEAD_NAMES[task]} that transformers knows.",
            meaning="No Auto class of transformers lists this head for its model type.",
            change=f"Leave out --task {task}, or give a model that has this head.",
        )


def require_class(model_type: str, task: Task | None) -> None:
    """Checks that a name is not that of a model type for which transformers has a class only for other tasks.

    Raises:
        NotMeasuredError: It is.
    """
    others = [other for other in ("generate", "score", *HEADS) if is_architecture_name(model_type, other)]
    if others:
        raise NotMeasuredError(
            f"transformers has no class of {model_type} for {task or 'generating'}.",
            meaning=f"It has classes of it for {', '.join(others)}.",
            change=f"Add --task {others[0]}, or give another model type.",
        )


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
            change=_give_another(config),
        )
    if is_encoder(config.model_type) and not getattr(config, "is_decoder", False):
        raise NotMeasuredError(
            f"{name} ({config.model_type}) is an encoder-only model.",
            meaning="It does not continue a text, so padding cannot change what it generates. With either padding "
            "side it only needs the attention_mask.",
            change=_give_another(config),
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
            change=_give_another(config),
        )


def _give_another(config: PretrainedConfig) -> str:
    """The tasks that transformers has a class for, or another model."""
    tasks = " or ".join(f"--task {task}" for task in tasks_of(config))
    return f"Give a decoder-only (causal) language model{f', or add {tasks}' if tasks else ''}."
