"""Loads config, tokenizer, generation_config and model, each once, through transformers' own Auto classes.

Where they come from (cache, hub, proxy, token, offline mode) is decided by huggingface_hub's own environment variables.
Nothing here ever asks a question: code from a repository runs only with `trust_remote_code`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from transformers import (
    AutoConfig,
    AutoTokenizer,
    GenerationConfig,
    PretrainedConfig,
    PreTrainedTokenizerBase,
)

from padcheck.core.errors import NotMeasuredError, PadcheckError, UsageError
from padcheck.core.settings import DEFAULT_PROMPTS, DEMO, MeasureSettings
from padcheck.demo import MODEL_FOLDER, load_prompts
from padcheck.hf.library.auto_classes import has_language_model, is_encoder, multimodal_model_types
from padcheck.hf.library.versions import READS_GENERATION_CONFIG_BESIDE_GGUF
from padcheck.hf.load.adapters import ADAPTER_CONFIG, Adapter, find_adapter
from padcheck.hf.load.errors import explain_load_error, is_missing_file, is_silence
from padcheck.hf.load.gguf import choose_file, split_path
from padcheck.hf.load.hub import Source, bounded_requests, find
from padcheck.hf.toys.architectures import default_config, means_architecture, number_prompts, number_tokenizer


@dataclass(frozen=True)
class Loaded:
    """All of a model but its weights, and the prompts that suit it where the user gives none.

    Of an adapter, `source` and `config` are those of the model that it belongs to. `weights` says what the weights will
    be; None where nobody can tell.
    """

    source: Source
    config: PretrainedConfig
    tokenizer: PreTrainedTokenizerBase
    generation_config: GenerationConfig
    prompts: tuple[str, ...]
    adapter: Adapter | None = None
    weights: Literal["pretrained", "random"] | None = "pretrained"

    @property
    def text_config(self) -> PretrainedConfig:
        """The language model's part of a multimodal config; the config itself where it has no parts."""
        return self.config.get_text_config(decoder=True)


Load = Callable[[MeasureSettings], Loaded]

_GIVE_ANOTHER = "Give a decoder-only (causal) language model."


def load_without_weights(settings: MeasureSettings) -> Loaded:
    """Loads config, tokenizer and generation_config; with `tiny` the name of a model type stands for its default ones.

    Raises:
        NotMeasuredError: One of them cannot be had, or the model is not a decoder-only one.
        UsageError: Options contradict each other.
    """
    if settings.tiny and means_architecture(settings.model):
        return load_architecture(settings)
    given = source = _find(settings.model, settings.revision, settings.gguf_file)
    trust = {"trust_remote_code": settings.trust_remote_code}
    with explained(given, "adapter"):
        adapter = find_adapter(given)
    if adapter is not None:
        source = _find_base(settings, adapter)
    with explained(source, "config"):
        config = AutoConfig.from_pretrained(source.name, **source.where, **source.what, **trust)
    require_decoder_only(settings.model, config)
    _require_language_model(settings.model, config)
    tokenizer_source = given if given.has("tokenizer_config.json") else source
    if settings.tokenizer is not None:
        tokenizer_source = _find(settings.tokenizer, None)
    with explained(tokenizer_source, "tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(
            tokenizer_source.name, **tokenizer_source.where, **tokenizer_source.what, **trust
        )
        if len(tokenizer) <= len(tokenizer.all_special_ids):
            # transformers 5 makes an empty tokenizer of some classes where there are no files at all.
            raise FileNotFoundError("its vocabulary is empty")
    with explained(source, "generation_config"):
        generation_config = _load_generation_config(source, config)
    prompts = load_prompts() if settings.model == DEMO else DEFAULT_PROMPTS
    weights: Literal["pretrained", "random"] = "random" if settings.tiny else "pretrained"
    return Loaded(source, config, tokenizer, generation_config, prompts, adapter, weights)


def _find_base(settings: MeasureSettings, adapter: Adapter) -> Source:
    if settings.tiny:
        raise UsageError(
            f"--tiny does not go with {settings.model}, which is an adapter.",
            meaning="Its weights fit its own model alone, and not a toy.",
            change=f"Leave out --tiny, or give {adapter.base}.",
        )
    base = _find(adapter.base, adapter.base_revision)
    with explained(base, "config"):
        if base.has(ADAPTER_CONFIG) and not base.has("config.json"):
            raise NotMeasuredError(
                f"{adapter.base}, which the adapter {settings.model} belongs to, is an adapter itself.",
                change="Merge that one into its model with merge_and_unload(), and name the result.",
            )
    return base


def load_architecture(settings: MeasureSettings) -> Loaded:
    """The default config of the model type that `settings` name as the model, and a tokenizer of numbers for it.

    The generation_config names neither eos nor pad: every row gives all its tokens, and no mask can be inferred.

    Raises:
        NotMeasuredError: The default config is none that runs, or needs a package that is not installed.
        UsageError: A tokenizer, a revision or a GGUF file is named, which an architecture has not.
    """
    for option, value in (
        ("--tokenizer", settings.tokenizer),
        ("--revision", settings.revision),
        ("--gguf-file", settings.gguf_file),
    ):
        if value is not None:
            raise UsageError(
                f"{option} {value} does not go with {settings.model}, which is the name of a model type.",
                meaning="Its default config is built, with a tokenizer of numbers.",
                change=f"Leave out {option}, or give a hub id or a folder.",
            )
    source = Source(settings.model)
    with explained(source, "config"):
        config = default_config(settings.model)
        if config.is_encoder_decoder and settings.model in multimodal_model_types():
            raise NotMeasuredError(f"{settings.model} is an encoder-decoder model.")
        bos = getattr(config.get_text_config(decoder=True), "bos_token_id", None)
        generation_config = GenerationConfig(bos_token_id=bos)
        return Loaded(
            source, config, number_tokenizer(config), generation_config, number_prompts(config), weights="random"
        )


def _find(model: str, revision: str | None, gguf_file: str | None = None) -> Source:
    if model == DEMO:
        return choose_file(Source(str(MODEL_FOLDER)), gguf_file)
    model, gguf_file = split_path(model, gguf_file)
    path = Path(model)
    if path.is_file():
        raise NotMeasuredError(
            f"{model} is a file.",
            change="Give the folder that holds config.json, the tokenizer's files and the weights.",
        )
    is_gguf = model.endswith(".gguf")
    looks_like_a_path = model.startswith((".", "/", "~")) or model.count("/") > 1 or "\\" in model
    if (looks_like_a_path or (is_gguf and "/" not in model)) and not path.is_dir():
        raise NotMeasuredError(
            f"There is no {'file' if is_gguf else 'folder'} {model}.",
            change="Check the path, or give a hub id such as gpt2.",
        )
    source = choose_file(find(model, revision, gguf_file or "config.json"), gguf_file)
    if path.is_dir() and source.gguf_file is None:
        _require_config(path)
    return source


def _require_config(folder: Path) -> None:
    if Source(str(folder)).has(ADAPTER_CONFIG):
        return  # the model that it belongs to has one
    config = folder / "config.json"
    if not config.is_file():
        raise NotMeasuredError(
            f"The folder {folder} has no config.json.",
            meaning="It is not a model's folder, or the model was not saved with save_pretrained().",
            change="Give the folder that holds config.json, the tokenizer's files and the weights.",
        )
    if "model_type" not in config.read_text(encoding="utf-8", errors="replace"):
        # transformers 4 would guess one from the name of the folder.
        raise NotMeasuredError(
            f"The config.json of {folder} names no model_type.",
            meaning="It was cut off, edited by hand, or belongs to something else than a transformers model.",
            change='Add the line that says which architecture it is, such as "model_type": "llama".',
        )


@contextmanager
def explained(source: Source, part: str) -> Iterator[None]:
    """Whatever the libraries raise while loading ends as one message, and no server is waited for without end."""
    try:
        with bounded_requests():
            yield
    except PadcheckError:
        raise
    except Exception as error:
        # Where the hub was silent the cache was searched; that it lacks the file is only the second half of the story.
        cause = source.silence if source.silence is not None and is_silence(error) else error
        raise explain_load_error(cause, source.name, part, source.revision, source.gguf_file) from error


def _load_generation_config(source: Source, config: PretrainedConfig) -> GenerationConfig:
    """The file; if there is none, or it is not read, what generate() makes of the config."""
    if source.gguf_file is not None and not READS_GENERATION_CONFIG_BESIDE_GGUF:
        return GenerationConfig.from_model_config(config)
    try:
        return GenerationConfig.from_pretrained(source.name, **source.where)
    except OSError as error:
        if source.silence is None and not is_missing_file(error):
            raise
        return GenerationConfig.from_model_config(config)


def require_decoder_only(name: str, config: PretrainedConfig) -> None:
    """Tells an encoder from a decoder by its config.

    Raises:
        NotMeasuredError: The model has an encoder, or is one.
    """
    if config.is_encoder_decoder:
        raise NotMeasuredError(
            f"{name} ({config.model_type}) is an encoder-decoder model.",
            meaning="Its prompt goes through an encoder, where right padding with a mask is normal, and its decoder "
            "starts from one token of its own: the side of the padding does not decide where it continues.",
            change=_GIVE_ANOTHER,
        )
    if is_encoder(config.model_type) and not getattr(config, "is_decoder", False):
        raise NotMeasuredError(
            f"{name} ({config.model_type}) is an encoder-only model.",
            meaning="It does not continue a text, so no token is generated from a padded row; what padding needs there "
            "is the attention_mask, on either side.",
            change=_GIVE_ANOTHER,
        )


def _require_language_model(name: str, config: PretrainedConfig) -> None:
    if not has_language_model(config):
        raise NotMeasuredError(
            f"{name} ({config.model_type}) is not a language model that transformers knows.",
            meaning="Neither AutoModelForCausalLM nor an Auto class of a model that also takes images or sound has it.",
            change=_GIVE_ANOTHER,
        )
