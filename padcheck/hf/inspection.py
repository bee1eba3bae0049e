"""Reads everything that needs no weights: facts about tokenizer, config and generation_config, and encoded prompts.

Does not import modelling code, because that import takes as long as the rest of the command.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from padcheck.core.errors import NotMeasuredError
from padcheck.core.evidence import Evidence
from padcheck.core.facts import ChatTemplateFacts, ModelFacts
from padcheck.core.progress import Progress
from padcheck.core.repository import from_repository_root
from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls.capture import captured_warnings, library_bars
from padcheck.hf.library.config_facts import (
    generation_settings,
    max_position_embeddings,
    num_layers,
    position_encoding,
    quantization,
)
from padcheck.hf.library.limits import CutOffError, call_limited
from padcheck.hf.library.versions import environment
from padcheck.hf.load.adapters import ADAPTER_CONFIG
from padcheck.hf.load.value_types import require_value_types
from padcheck.hf.load.without_weights import (
    LoadWithoutWeights,
    ModelWithoutWeights,
    load_errors_explained,
    load_for_inspection,
)
from padcheck.hf.tokenizer.companion import encode_with_companion
from padcheck.hf.tokenizer.encoding import EncodedPrompts, seconds_to_encode
from padcheck.hf.tokenizer.facts import chat_template_facts, special_token_ids, tokenizer_facts
from padcheck.hf.tokenizer.pad_tokens import PadToken, choose_pad_token

_Result = TypeVar("_Result")

_TEMPLATE_SECONDS = 10
"""A chat template takes milliseconds to render one message."""

_MAIN_FILES = ("config.json", ADAPTER_CONFIG, "tokenizer_config.json", "tokenizer.json")

_NO_CONFIG = "There is no config: only the tokenizer was inspected."


@dataclass(frozen=True)
class Inspected:
    """What is known before the weights are loaded."""

    loaded: ModelWithoutWeights
    pad_token: PadToken
    encoded: tuple[tuple[int, ...], ...]
    evidence: Evidence


def inspect(settings: MeasureSettings, progress: Progress, load: LoadWithoutWeights = load_for_inspection) -> Inspected:
    """Loads and reads everything except the weights.

    Args:
        settings: What to measure, and how.
        progress: Receives the stages.
        load: Loads everything except the weights.

    Raises:
        PadcheckError: Something cannot be loaded, or the settings do not fit the model.
    """
    with library_bars(shown=progress.is_watched), captured_warnings() as messages:
        with progress.stage(f"loading the tokenizer of {settings.model}", "tokenizer", downloads=True):
            loaded = load(settings)
        require_value_types(loaded)
        tokenizer = loaded.tokenizer
        with (
            progress.stage("tokenizing the prompts", "tokenize"),
            load_errors_explained(loaded.source, "encoding"),
        ):
            pad_token = choose_pad_token(tokenizer, settings.pad_token)
            ids = special_token_ids(tokenizer, loaded.text_config, loaded.generation_config)
            rows = getattr(loaded.text_config, "vocab_size", None)
            template = _chat_template_facts(loaded, pad_token, messages)
            facts = tokenizer_facts(tokenizer, ids, pad_token, rows, template)
            encoded, companion = _encode(loaded, pad_token, settings, messages)
    if loaded.is_only_a_tokenizer:
        messages.append(_NO_CONFIG)
    evidence = Evidence(
        model=_model_facts(settings, loaded, rows),
        environment=environment(),
        tokenizer=facts,
        special_token_ids=ids,
        generation_config=generation_settings(loaded.generation_config),
        prompts=encoded.texts.texts,
        companion=companion,
        num_prompt_tokens=tuple(map(len, encoded.input_ids)),
        num_pad_tokens_in_prompts=sum(input_ids.count(pad_token.token_id) for input_ids in encoded.input_ids),
        max_new_tokens=settings.max_new_tokens,
        samples=encoded.samples,
        load_warnings=tuple(messages),
        modes=settings.modes,
        settings=settings.given,
    )
    return Inspected(loaded, pad_token, encoded.input_ids, evidence)


def _chat_template_facts(
    loaded: ModelWithoutWeights, pad_token: PadToken, messages: list[str]
) -> ChatTemplateFacts | None:
    if not loaded.tokenizer.chat_template:
        return None
    try:
        return _limited(loaded, partial(chat_template_facts, loaded.tokenizer, pad_token), _TEMPLATE_SECONDS, messages)
    except CutOffError as error:
        messages.append(f"The chat template was stopped while it rendered one message, and is not judged: {error}.")
        return None


def _encode(
    loaded: ModelWithoutWeights, pad_token: PadToken, settings: MeasureSettings, messages: list[str]
) -> tuple[EncodedPrompts, int | None]:
    prompts, positions = settings.prompts or loaded.prompts, max_position_embeddings(loaded.text_config)
    encode = partial(
        encode_with_companion,
        loaded.tokenizer,
        prompts,
        loaded.prompts,
        pad_token,
        chat=settings.chat,
        longest=None if positions is None else positions - settings.max_new_tokens,
    )
    try:
        return _limited(loaded, encode, seconds_to_encode(prompts), messages)
    except CutOffError as error:
        raise NotMeasuredError(
            f"The tokenizer of {settings.model} was stopped while it encoded the prompts: {error}.",
            meaning=f"{'The chat template, the' if settings.chat else 'The'} normalizer or the pre-tokenizer makes "
            "far too much of a text, or never ends.",
            change="Shorten the prompts, or name another model's tokenizer with --tokenizer.",
        ) from error


def _limited(
    loaded: ModelWithoutWeights, function: Callable[[], _Result], seconds: float, messages: list[str]
) -> _Result:
    """The result of the function, called in another process with limits; its warnings are added to `messages`."""
    if loaded.is_in_memory:
        # The tokenizer is the caller's own, and so is this process: a fork could disturb its threads and its GPU.
        return function()
    result, warned = call_limited(partial(_with_warnings, function), seconds=seconds)
    messages.extend(message for message in warned if message not in messages)
    return result


def _with_warnings(function: Callable[[], _Result]) -> tuple[_Result, list[str]]:
    with captured_warnings() as messages:
        result = function()
    return result, messages


def _model_facts(settings: MeasureSettings, loaded: ModelWithoutWeights, embedding_rows: int | None) -> ModelFacts:
    # A toy-size model is not quantized.
    quantized, batch_dependent = (None, None) if settings.tiny else quantization(loaded.config)
    class_name = "unknown" if loaded.is_only_a_tokenizer else type(loaded.config).__name__
    return ModelFacts(
        id=settings.model,
        revision=loaded.source.commit,
        model_type="unknown" if loaded.is_only_a_tokenizer else loaded.config.model_type,
        architecture=next(iter(loaded.config.architectures or ()), class_name),
        position_encoding=position_encoding(loaded.text_config),
        max_position_embeddings=max_position_embeddings(loaded.text_config),
        num_layers=num_layers(loaded.text_config),
        embedding_rows=embedding_rows,
        adapter=settings.adapter,
        adapter_of=None if loaded.adapter is None or settings.adapter is not None else loaded.source.name,
        file=_file(settings, loaded.source.gguf_file),
        gguf_file=loaded.source.gguf_file,
        quantization=quantized,
        batch_dependent=batch_dependent,
    )


def _file(settings: MeasureSettings, gguf_file: str | None) -> str | None:
    """The file in the model's folder that stands for the model in an annotation; None for a model on the hub."""
    folder = Path(settings.model)
    files = (folder, *(folder / name for name in (gguf_file, *_MAIN_FILES) if name is not None))
    return next((from_repository_root(file) for file in files if file.is_file()), None)
