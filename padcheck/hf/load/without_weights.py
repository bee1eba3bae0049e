"""Finds a model by name, and loads its config, tokenizer and generation_config through transformers' Auto classes.

huggingface_hub's environment variables set the cache, proxy, token and offline mode. Loading never prompts the user:
code from a repository runs only with `trust_remote_code`.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from transformers import (
    AutoConfig,
    AutoTokenizer,
    GenerationConfig,
    PretrainedConfig,
    PreTrainedTokenizerBase,
)

from padcheck.core.errors import NotMeasuredError, UsageError
from padcheck.core.settings import DEFAULT_PROMPTS, DEMO, MeasureSettings
from padcheck.core.use_case import HEADS
from padcheck.demo import MODEL_FOLDER, load_prompts
from padcheck.hf.library.auto_classes import multimodal_model_types
from padcheck.hf.library.native_output import native_prints
from padcheck.hf.library.versions import READS_GENERATION_CONFIG_BESIDE_GGUF
from padcheck.hf.load.adapters import ADAPTER_CONFIG, Adapter, find_adapter, num_labels
from padcheck.hf.load.decoder_only import require_class, require_suitable
from padcheck.hf.load.errors import is_missing_file
from padcheck.hf.load.gguf import choose_gguf_file, split_gguf_path
from padcheck.hf.load.git_lfs import pointer_error
from padcheck.hf.load.hub import Source, find_source, load_errors_explained
from padcheck.hf.load.pooling import find_pooling, find_transformer
from padcheck.hf.toys.architectures import default_config, is_architecture_name, number_prompts, number_tokenizer

_TOKENIZER_FILES = ("tokenizer_config.json", "tokenizer.json")
"""AutoTokenizer can load a tokenizer without a config if one of them is there."""


@dataclass(frozen=True)
class ModelWithoutWeights:
    """Everything about a model except its weights.

    Attributes:
        source: Where its files are; for an adapter, the source of the base model.
        config: Its config; for an adapter, the config of the base model. An empty one if there is only a tokenizer.
        tokenizer: Its tokenizer, or the one that was given with --tokenizer.
        generation_config: Its generation_config.json, or the one that generate() derives from the config.
        prompts: The prompts that suit it if the user gives none.
        adapter: The adapter to add to it; None if the name does not mean an adapter.
        weights: What the weights will be; None if unknown, as for a model in memory.
        pooling: The pooling modes of a sentence-transformers model; read for the task embed only.
    """

    source: Source
    config: PretrainedConfig
    tokenizer: PreTrainedTokenizerBase
    generation_config: GenerationConfig
    prompts: tuple[str, ...]
    adapter: Adapter | None = None
    weights: Literal["pretrained", "random"] | None = "pretrained"
    pooling: tuple[str, ...] = ()

    @property
    def is_in_memory(self) -> bool:
        """True if the caller gave the objects, and nothing was loaded."""
        return self.weights is None

    @property
    def is_only_a_tokenizer(self) -> bool:
        """True if there is no config."""
        return type(self.config) is PretrainedConfig

    @property
    def text_config(self) -> PretrainedConfig:
        """The language model's part of a multimodal config; the config itself if it has no parts."""
        return self.config.get_text_config(decoder=True)


LoadWithoutWeights = Callable[[MeasureSettings], ModelWithoutWeights]


def load_for_inspection(settings: MeasureSettings) -> ModelWithoutWeights:
    """The same as `load_without_weights`, but a folder or repository may hold a tokenizer without a model.

    Raises:
        NotMeasuredError: The tokenizer cannot be loaded, or the model does not suit the task.
        UsageError: Options contradict each other.
    """
    return load_without_weights(settings, needs_config=False)


def load_without_weights(settings: MeasureSettings, *, needs_config: bool = True) -> ModelWithoutWeights:
    """Loads config, tokenizer and generation_config of a hub id, a folder, a GGUF file or an adapter.

    With `tiny`, the model may also be the name of a model type: then its default config is built.

    Args:
        settings: What to load.
        needs_config: If False, an empty config replaces a missing one, provided that there is a tokenizer.

    Raises:
        NotMeasuredError: One of them cannot be loaded, or the model does not suit the task.
        UsageError: Options contradict each other.
    """
    if settings.tiny and is_architecture_name(settings.model, settings.task):
        return load_architecture(settings)
    if settings.tiny:
        require_class(settings.model, settings.task)
    given = source = _find(settings.model, settings.revision, settings.gguf_file)
    if settings.task == "embed":
        with load_errors_explained(given, "config"):
            source = find_transformer(given)
    has_config = needs_config or not _is_only_a_tokenizer(source)
    if has_config:
        _require_config(source)
    trust = {"trust_remote_code": settings.trust_remote_code}
    if settings.adapter is None:
        with load_errors_explained(given, "adapter"):
            adapter = find_adapter(given)
        if adapter is not None:
            source = _find_base(settings, adapter)
    else:
        given, adapter = _find_adapter_of(source, settings.adapter)
    config, pooling = PretrainedConfig(), tuple[str, ...]()
    if has_config:
        config, pooling = _load_config(source, adapter, settings)
    tokenizer_source = given if given.has("tokenizer_config.json") else source
    if settings.tokenizer is not None:
        tokenizer_source = _find(settings.tokenizer, None)
    with load_errors_explained(tokenizer_source, "tokenizer"), native_prints():
        tokenizer = AutoTokenizer.from_pretrained(
            tokenizer_source.name, **tokenizer_source.revision_arguments, **tokenizer_source.gguf_arguments, **trust
        )
        if len(tokenizer) <= len(tokenizer.all_special_ids):
            # If no tokenizer files exist, transformers 5 returns an empty tokenizer for some classes.
            raise FileNotFoundError("its vocabulary is empty")
    with load_errors_explained(source, "generation_config"):
        generation_config = _load_generation_config(source, config)
    prompts = load_prompts() if settings.model == DEMO else DEFAULT_PROMPTS
    weights: Literal["pretrained", "random"] = "random" if settings.tiny else "pretrained"
    return ModelWithoutWeights(source, config, tokenizer, generation_config, prompts, adapter, weights, pooling)


def _load_config(
    source: Source, adapter: Adapter | None, settings: MeasureSettings
) -> tuple[PretrainedConfig, tuple[str, ...]]:
    """The config, and the pooling of a sentence-transformers model.

    Raises:
        NotMeasuredError: It cannot be loaded, or the model does not suit the task.
    """
    with load_errors_explained(source, "config"):
        config = AutoConfig.from_pretrained(
            source.name,
            **source.revision_arguments,
            **source.gguf_arguments,
            trust_remote_code=settings.trust_remote_code,
        )
        pooling = find_pooling(replace(source, subfolder="")) if settings.task == "embed" else ()
        if adapter is not None and settings.task == "classify":
            config.num_labels = num_labels(adapter) or config.num_labels
    require_suitable(settings.model, config, settings.task)
    return config, pooling


def _find_adapter_of(base: Source, name: str) -> tuple[Source, Adapter]:
    """The adapter that --adapter names, with this base model.

    Raises:
        UsageError: It is no adapter, or the base model is one itself.
    """
    given = _find(name, None)
    with load_errors_explained(given, "adapter"):
        adapter = find_adapter(given, base.name)
        if adapter is None:
            raise UsageError(
                f"--adapter {name} is no adapter: it has no {ADAPTER_CONFIG}.",
                change="Give the folder or hub id of one.",
            )
        if base.has(ADAPTER_CONFIG) and not base.has("config.json"):
            raise UsageError(
                f"--adapter cannot be used with {base.name}, which is an adapter itself.",
                change="Give the base model, or leave out --adapter.",
            )
    return given, adapter


def _find_base(settings: MeasureSettings, adapter: Adapter) -> Source:
    if settings.tiny:
        raise UsageError(
            f"--tiny cannot be used with {settings.model}, which is an adapter.",
            meaning="Its weights fit only its base model, not a toy-size copy.",
            change=f"Leave out --tiny, or give {adapter.base}.",
        )
    base = _find(adapter.base, adapter.base_revision)
    _require_config(base)
    with load_errors_explained(base, "config"):
        if base.has(ADAPTER_CONFIG) and not base.has("config.json"):
            raise NotMeasuredError(
                f"{adapter.base}, the base model of the adapter {settings.model}, is an adapter itself.",
                change="Merge that one into its base model with merge_and_unload(), and name the result as the base.",
            )
    return base


def load_architecture(settings: MeasureSettings) -> ModelWithoutWeights:
    """Builds the default config of a model type, and a tokenizer whose tokens are numbers.

    The generation_config sets neither eos nor pad, so every row generates all its tokens, and transformers cannot infer
    a mask from pad ids.

    Args:
        settings: `model` is the model type, such as "llama", or a variant of one, such as "llama+dynamic".

    Raises:
        NotMeasuredError: The default config does not run, or needs a package that is not installed.
        UsageError: A tokenizer, a revision or a GGUF file is given: a model type has none of them.
    """
    for option, value in (
        ("--tokenizer", settings.tokenizer),
        ("--revision", settings.revision),
        ("--gguf-file", settings.gguf_file),
        ("--adapter", settings.adapter),
    ):
        if value is not None:
            raise UsageError(
                f"{option} {value} cannot be used with {settings.model}, which is the name of a model type.",
                meaning="Nothing is loaded for it: its default config is built, with a tokenizer of numbers.",
                change=f"Leave out {option}, or give a hub id or a folder.",
            )
    source = Source(settings.model)
    with load_errors_explained(source, "config"):
        config = default_config(settings.model, settings.task)
        if settings.task not in HEADS and config.is_encoder_decoder and config.model_type in multimodal_model_types():
            raise NotMeasuredError(f"{settings.model} is an encoder-decoder model.")
        bos = getattr(config.get_text_config(decoder=True), "bos_token_id", None)
        generation_config = GenerationConfig(bos_token_id=bos)
        tokenizer = number_tokenizer(config, settings.task)
        prompts = number_prompts(config, settings.model, settings.task)
        return ModelWithoutWeights(source, config, tokenizer, generation_config, prompts, weights="random")


def _find(model: str, revision: str | None, gguf_file: str | None = None) -> Source:
    if model == DEMO:
        return choose_gguf_file(Source(str(MODEL_FOLDER)), gguf_file)
    model, gguf_file = split_gguf_path(model, gguf_file)
    path = Path(model)
    if path.is_file():
        raise NotMeasuredError(
            f"{model} is a file.",
            change="Give the folder that contains config.json, the tokenizer's files and the weights.",
        )
    is_gguf = model.endswith(".gguf")
    looks_like_a_path = model.startswith((".", "/", "~")) or model.count("/") > 1 or "\\" in model
    if (looks_like_a_path or (is_gguf and "/" not in model)) and not path.is_dir():
        raise NotMeasuredError(
            f"There is no {'file' if is_gguf else 'folder'} {model}.",
            change="Check the path, or give a hub id such as gpt2.",
        )
    return choose_gguf_file(find_source(model, revision, gguf_file or "config.json"), gguf_file)


def _is_only_a_tokenizer(source: Source) -> bool:
    has_model = source.gguf_file is not None or source.has("config.json") or source.has(ADAPTER_CONFIG)
    return not has_model and any(map(source.has, _TOKENIZER_FILES))


def _require_config(source: Source) -> None:
    folder = Path(source.name, source.subfolder)
    if not folder.is_dir() or source.gguf_file is not None or source.has(ADAPTER_CONFIG):
        return  # on the hub, in the GGUF file, or in the base model's folder
    config = folder / "config.json"
    if not config.is_file():
        raise NotMeasuredError(
            f"The folder {folder} has no config.json.",
            meaning="It holds a tokenizer without a model, so there is nothing to run."
            if _is_only_a_tokenizer(source)
            else "It is not a model's folder, or the model was not saved with save_pretrained().",
            change="Give the folder that contains config.json, the tokenizer's files and the weights.",
        )
    if "model_type" not in config.read_text(encoding="utf-8", errors="replace"):
        # transformers 4 would guess the model type from the folder's name.
        raise pointer_error(source.name, "config") or NotMeasuredError(
            f"The config.json of {folder} has no model_type.",
            meaning="It was cut off, edited by hand, or does not belong to a transformers model.",
            change='Add a line with the architecture, such as "model_type": "llama".',
        )


def _load_generation_config(source: Source, config: PretrainedConfig) -> GenerationConfig:
    """Reads generation_config.json, or derives the settings from the config as generate() does without that file."""
    if source.gguf_file is not None and not READS_GENERATION_CONFIG_BESIDE_GGUF:
        return GenerationConfig.from_model_config(config)
    try:
        return GenerationConfig.from_pretrained(source.name, **source.revision_arguments)
    except OSError as error:
        if source.outage is None and not is_missing_file(error):
            raise
        return GenerationConfig.from_model_config(config)
