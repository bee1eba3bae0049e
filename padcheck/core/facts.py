"""The types that describe the tokenizer, the model and the installed versions."""

from typing import Annotated, Literal

import msgspec

PaddingSide = Literal["left", "right"]
PositionEncoding = Literal["learned", "sinusoidal", "rotary", "alibi", "relative", "none", "unknown"]

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
"""How many there are of something, or an index. Up to this size a float holds every whole number."""

Size = Annotated[int, msgspec.Meta(ge=1, le=2**53)]
"""A number that cannot be 0, such as the depth of a model."""


class TokenIds(msgspec.Struct, frozen=True, kw_only=True):
    """The special token ids that one file sets; None if it does not set one. A model may have several eos ids."""

    pad: int | None = None
    bos: int | None = None
    eos: tuple[int, ...] | None = None


class SpecialTokenIds(msgspec.Struct, frozen=True, kw_only=True):
    """The special token ids of the three files that set some.

    generate() reads generation_config. Classification heads and collators read the config and the tokenizer.
    """

    tokenizer: TokenIds
    config: TokenIds
    generation_config: TokenIds


class PadTokenSuggestion(msgspec.Struct, frozen=True, kw_only=True):
    """A better pad token from this vocabulary, and the reason."""

    token: str
    token_id: int
    reason: str


class ChatTemplateFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One message, rendered with the chat template and tokenized as text.

    Attributes:
        leading_bos: How many bos tokens it begins with.
        pad_tokens: How many pad tokens it contains.
    """

    leading_bos: Count
    pad_tokens: Count


class TokenizerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The tokenizer as it was loaded, and the pad token that padcheck used.

    Attributes:
        class_name: Its class.
        is_fast: True if it is backed by the tokenizers library.
        padding_side: Where it pads by default.
        padding_side_source: `tokenizer_config.json`, or `class default`.
        truncation_side: Where it truncates by default.
        truncation_side_source: `tokenizer_config.json`, or `class default`.
        pad_token: None if it has no pad token; also for the other special tokens and their ids.
        vocab_size: How many tokens it has, added tokens included.
        max_token_id: The largest id of the vocabulary.
        model_max_length: The longest input in tokens; None if there is no limit.
        pad_token_used: The token that padcheck padded with.
        pad_token_used_id: Its id.
        pad_token_used_reason: Why this one.
        pad_token_suggestion: A better pad token; None if padcheck has no suggestion.
        chat_template: None if the tokenizer has no chat template.
        saved_padding: True if tokenizer.json itself sets padding.
        saved_truncation: True if tokenizer.json itself sets truncation.
    """

    class_name: str = msgspec.field(name="class")
    is_fast: bool
    padding_side: PaddingSide
    padding_side_source: str
    truncation_side: PaddingSide
    truncation_side_source: str
    pad_token: str | None
    pad_token_id: int | None
    bos_token: str | None
    bos_token_id: int | None
    eos_token: str | None
    eos_token_id: int | None
    unk_token: str | None
    unk_token_id: int | None
    vocab_size: Count
    max_token_id: int
    model_max_length: int | None
    pad_token_used: str
    pad_token_used_id: int
    pad_token_used_reason: str
    pad_token_suggestion: PadTokenSuggestion | None = None
    chat_template: ChatTemplateFacts | None = None
    saved_padding: bool = False
    saved_truncation: bool = False


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The model. After `inspect-tokenizer`, everything that needs weights is None.

    Attributes:
        id: Hub id, folder, file, or `demo`.
        revision: The commit on the hub; None for a local model.
        model_type: The model type of its config, such as llama.
        architecture: Its class.
        position_encoding: How it encodes positions.
        max_position_embeddings: The longest input in tokens; None if the config sets no limit.
        embedding_rows: Token ids from this number on have no embedding.
        num_layers: How many layers it has.
        num_parameters: How many parameters it has.
        dtype: The dtype it ran in.
        device: The device it ran on.
        ranks: How many processes held a part of each layer.
        attn_implementation: The attention implementation it ran with.
        attn_implementations: All attention implementations that it can run with on this machine.
        weights: None if unknown, as for a model that was already in memory.
        adapter: The adapter of --adapter that was added to it; None without that option.
        adapter_of: The base model of an adapter; None for any other model.
        file: Its config, or its GGUF file, as seen from the root of the repository; None if it is not on this machine.
        gguf_file: The GGUF file with its config, tokenizer and weights; None for other formats.
        quantization: How the weights are quantized; None if they are not.
        batch_dependent: Why each row depends on the other rows by design; None if rows should be independent.
    """

    id: str
    revision: str | None
    model_type: str
    architecture: str
    position_encoding: PositionEncoding
    max_position_embeddings: Size | None
    embedding_rows: int | None
    num_layers: Size | None = None
    num_parameters: Count | None = None
    dtype: str | None = None
    device: str | None = None
    ranks: Size = 1
    attn_implementation: str | None = None
    attn_implementations: tuple[str, ...] = ()
    weights: Literal["pretrained", "random"] | None = None
    adapter: str | None = None
    adapter_of: str | None = None
    file: str | None = None
    gguf_file: str | None = None
    quantization: str | None = None
    batch_dependent: str | None = None


class LengthLimit(msgspec.Struct, frozen=True, kw_only=True):
    """A number of tokens beyond which the model does something else.

    Attributes:
        key: The key of the config that sets it.
        tokens: The number of tokens.
        what: What changes beyond it.
        crossed: True if a prompt, or a prompt with its new tokens, was longer.
        why_not: Why --cross-limits did not cross it; None if nothing was tried.
    """

    key: str
    tokens: Size
    what: str
    crossed: bool = False
    why_not: str | None = None


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The versions that a measurement depends on."""

    padcheck: str
    python: str
    torch: str
    transformers: str
    tokenizers: str
    platform: str
