"""Reads everything that needs no weights: facts about tokenizer, config and generation_config, and encoded prompts.

Does not import modelling code, because that import takes as long as the rest of the command.
"""

from dataclasses import dataclass

from padcheck.core.evidence import Evidence
from padcheck.core.facts import ModelFacts
from padcheck.core.progress import Progress
from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls.capture import captured_warnings, library_bars
from padcheck.hf.library.config_facts import (
    generation_settings,
    max_position_embeddings,
    num_layers,
    position_encoding,
    quantization,
)
from padcheck.hf.library.versions import environment
from padcheck.hf.load.without_weights import LoadWithoutWeights, ModelWithoutWeights, load_without_weights
from padcheck.hf.tokenizer.encoding import encode_prompts, render_prompts, tokenizer_samples
from padcheck.hf.tokenizer.facts import (
    special_token_ids,
    tokenizer_facts,
)
from padcheck.hf.tokenizer.pad_tokens import PadToken, choose_pad_token


@dataclass(frozen=True)
class Inspected:
    """What is known before the weights are loaded."""

    loaded: ModelWithoutWeights
    pad_token: PadToken
    encoded: tuple[tuple[int, ...], ...]
    evidence: Evidence


def inspect(
    settings: MeasureSettings, progress: Progress, load: LoadWithoutWeights = load_without_weights
) -> Inspected:
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
        tokenizer = loaded.tokenizer
        with progress.stage("tokenizing the prompts", "tokenize"):
            pad_token = choose_pad_token(tokenizer, settings.pad_token)
            ids = special_token_ids(tokenizer, loaded.text_config, loaded.generation_config)
            rows = getattr(loaded.text_config, "vocab_size", None)
            facts = tokenizer_facts(tokenizer, ids, pad_token, rows)
            prompts = render_prompts(tokenizer, settings.prompts or loaded.prompts, chat=settings.chat)
            encoded = encode_prompts(tokenizer, prompts)
            samples = tokenizer_samples(tokenizer, prompts, pad_token)
    evidence = Evidence(
        model=_model_facts(settings, loaded, rows),
        environment=environment(),
        tokenizer=facts,
        special_token_ids=ids,
        generation_config=generation_settings(loaded.generation_config),
        prompts=prompts.texts,
        num_prompt_tokens=tuple(len(input_ids) for input_ids in encoded),
        num_pad_tokens_in_prompts=sum(input_ids.count(pad_token.token_id) for input_ids in encoded),
        max_new_tokens=settings.max_new_tokens,
        samples=samples,
        load_warnings=tuple(messages),
        settings=settings.given,
    )
    return Inspected(loaded, pad_token, encoded, evidence)


def _model_facts(settings: MeasureSettings, loaded: ModelWithoutWeights, embedding_rows: int | None) -> ModelFacts:
    # A toy-size model is not quantized.
    quantized, batch_dependent = (None, None) if settings.tiny else quantization(loaded.config)
    return ModelFacts(
        id=settings.model,
        revision=loaded.source.commit,
        model_type=loaded.config.model_type,
        architecture=next(iter(loaded.config.architectures or ()), type(loaded.config).__name__),
        position_encoding=position_encoding(loaded.text_config),
        max_position_embeddings=max_position_embeddings(loaded.text_config),
        num_layers=num_layers(loaded.text_config),
        embedding_rows=embedding_rows,
        adapter_of=None if loaded.adapter is None else loaded.source.name,
        gguf_file=loaded.source.gguf_file,
        quantization=quantized,
        batch_dependent=batch_dependent,
    )
