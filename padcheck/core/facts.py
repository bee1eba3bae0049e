"""What is known before anything runs: the tokenizer, the model and the versions, as plain facts."""

from typing import Literal

import msgspec

PaddingSide = Literal["left", "right"]
PositionEncoding = Literal["learned", "sinusoidal", "rotary", "alibi", "relative", "none", "unknown"]


class TokenIds(msgspec.Struct, frozen=True, kw_only=True):
    """The special token ids that one place names; None where it names none. eos may be several."""

    pad: int | None = None
    bos: int | None = None
    eos: tuple[int, ...] | None = None


class SpecialTokenIds(msgspec.Struct, frozen=True, kw_only=True):
    """The three places that name special tokens. generate() obeys the last, heads and collators the others."""

    tokenizer: TokenIds
    config: TokenIds
    generation_config: TokenIds


class PadTokenSuggestion(msgspec.Struct, frozen=True, kw_only=True):
    """A token of this vocabulary that would make a better pad token, and why."""

    token: str
    token_id: int
    reason: str


class ChatTemplateFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What one message rendered with the chat template becomes when it is tokenized as text."""

    leading_bos: int
    pad_tokens: int


class TokenizerFacts(msgspec.Struct, frozen=True, kw_only=True):
    """The tokenizer as loaded, and the pad token that this run used in its place where it has none."""

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
    vocab_size: int
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
    """The model. What needs weights is None where only the tokenizer was inspected.

    `adapter_of` is the model that an adapter belongs to, `gguf_file` the file that config, tokenizer and weights were
    read from. `batch_dependent` says why a row depends on its neighbours by construction; None where it should not.
    What the `weights` of a model are that was in memory already, nobody knows. `ranks` are the processes that hold a
    part of each layer, `attn_implementations` all that the model has here.
    """

    id: str
    revision: str | None
    model_type: str
    architecture: str
    position_encoding: PositionEncoding
    max_position_embeddings: int | None
    embedding_rows: int | None
    num_layers: int | None = None
    num_parameters: int | None = None
    dtype: str | None = None
    device: str | None = None
    ranks: int = 1
    attn_implementation: str | None = None
    attn_implementations: tuple[str, ...] = ()
    weights: Literal["pretrained", "random"] | None = None
    adapter_of: str | None = None
    gguf_file: str | None = None
    quantization: str | None = None
    batch_dependent: str | None = None


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """The versions that a result depends on."""

    padcheck: str
    python: str
    torch: str
    transformers: str
    tokenizers: str
    platform: str
