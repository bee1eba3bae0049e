"""A tokenizer whose tokens are bytes, as those around tiktoken are: the first Qwen and Hunyuan."""

from typing import Any

from transformers import PreTrainedTokenizer

END_OF_TEXT = "<|endoftext|>"


class BytesTokenizer(PreTrainedTokenizer):
    """A token for each byte and one for the end of a text, which get_vocab() leaves out."""

    vocab_files_names = {"vocab_file": "bytes.tiktoken"}  # noqa: RUF012
    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012

    def __init__(self, vocab_file: str, **kwargs: Any) -> None:
        self._ids: dict[bytes, int] = {bytes([value]): value for value in range(256)}
        super().__init__(**kwargs)

    @property
    def vocab_size(self) -> int:
        return 257

    def __len__(self) -> int:
        return 257

    def get_vocab(self) -> dict[bytes, int]:
        return self._ids

    def _add_tokens(self, new_tokens: Any, special_tokens: bool = False) -> int:
        return 0

    def tokenize(self, text: str, **kwargs: Any) -> list[bytes | str]:
        return [bytes([value]) for value in text.encode()]

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        if isinstance(tokens, (bytes, str)):
            return 256 if tokens == END_OF_TEXT else self._ids.get(tokens)
        return [self.convert_tokens_to_ids(token) for token in tokens]

    def _convert_id_to_token(self, index: int) -> bytes | str:
        return END_OF_TEXT if index == 256 else bytes([index])

    def _decode(self, token_ids: int | list[int], skip_special_tokens: bool = False, **kwargs: Any) -> str:
        ids = [token_ids] if isinstance(token_ids, int) else token_ids
        content = b"".join(bytes([index]) for index in ids if index < 256)
        ending = "" if skip_special_tokens else END_OF_TEXT * ids.count(256)
        return content.decode(errors="replace") + ending

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str, ...]:
        return ()
