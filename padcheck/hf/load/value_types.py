"""Checks the types of the values that padcheck reads from a model's config, tokenizer and generation_config.

transformers checks some of them and keeps the others as they are in the file, so that a wrong one fails much later.
"""

from typing import Any

import msgspec
from transformers import PretrainedConfig

from padcheck.core.errors import NotMeasuredError
from padcheck.core.facts import PaddingSide
from padcheck.hf.load.without_weights import ModelWithoutWeights


class _SpecialTokenIds(msgspec.Struct):
    pad_token_id: int | None = None
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None


class _Quantization(msgspec.Struct):
    llm_int8_threshold: float = 6.0


class _Config(msgspec.Struct):
    architectures: list[str] | None = None
    quantization_config: _Quantization | None = None


class _TextConfig(_SpecialTokenIds):
    vocab_size: int | None = None


class _Tokenizer(_SpecialTokenIds):
    model_max_length: float | None = None
    padding_side: PaddingSide = "right"
    truncation_side: PaddingSide = "right"


def require_value_types(loaded: ModelWithoutWeights) -> None:
    """Checks config, tokenizer and generation_config.

    Raises:
        NotMeasuredError: A value has the wrong type.
    """
    name = loaded.source.name
    _require(name, "config", loaded.config, _Config)
    if not isinstance(loaded.text_config, PretrainedConfig):
        raise _wrong(
            name, "config", f"Expected `object`, got `{type(loaded.text_config).__name__}` - at `$.text_config`"
        )
    _require(name, "config", loaded.text_config, _TextConfig)
    _require(name, "tokenizer", loaded.tokenizer, _Tokenizer)
    _require(name, "generation_config", loaded.generation_config, _SpecialTokenIds)


def _require(name: str, part: str, values: Any, types: type[msgspec.Struct]) -> None:
    try:
        msgspec.convert(values, types, from_attributes=True)
    except msgspec.ValidationError as error:
        raise _wrong(name, part, str(error)) from error


def _wrong(name: str, part: str, problem: str) -> NotMeasuredError:
    return NotMeasuredError(
        f"The {part} of {name} has a value of the wrong type. {problem}.",
        meaning="The file was edited by hand, or written by another program than transformers.",
        change="Correct the value, or download the file again.",
    )
