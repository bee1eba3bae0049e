"""Tokenizers that transformers does not have: one token per letter, and three ways to pad."""

import json
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizer


class LettersTokenizer(PreTrainedTokenizer):
    """Pads as transformers does."""

    vocab_files_names = {"vocab_file": "letters.json"}  # noqa: RUF012
    model_input_names = ["input_ids", "attention_mask"]  # noqa: RUF012

    def __init__(self, vocab_file: str, **kwargs: Any) -> None:
        self._ids: dict[str, int] = json.loads(Path(vocab_file).read_text(encoding="utf-8"))
        self._letters = {token_id: letter for letter, token_id in self._ids.items()}
        super().__init__(**kwargs)

    @property
    def vocab_size(self) -> int:
        return len(self._ids)

    def get_vocab(self) -> dict[str, int]:
        return self._ids | self.added_tokens_encoder

    def _tokenize(self, text: str, **kwargs: Any) -> list[str]:
        return list(text)

    def _convert_token_to_id(self, token: str) -> int:
        return self._ids.get(token, self._ids["<unk>"])

    def _convert_id_to_token(self, index: int) -> str:
        return self._letters[index]

    def convert_tokens_to_string(self, tokens: list[str]) -> str:
        return "".join(tokens)

    def save_vocabulary(self, save_directory: str, filename_prefix: str | None = None) -> tuple[str, ...]:
        path = Path(save_directory) / "letters.json"
        path.write_text(json.dumps(self._ids), encoding="utf-8")
        return (str(path),)


class RejectingTokenizer(LettersTokenizer):
    """Written before transformers 4.45, when `_pad` had no `padding_side`."""

    def _pad(
        self,
        encoded_inputs: Any,
        max_length: int | None = None,
        padding_strategy: Any = None,
        pad_to_multiple_of: int | None = None,
        return_attention_mask: bool | None = None,
    ) -> Any:
        return super()._pad(
            encoded_inputs,
            max_length=max_length,
            padding_strategy=padding_strategy,
            pad_to_multiple_of=pad_to_multiple_of,
            return_attention_mask=return_attention_mask,
        )


class StubbornTokenizer(LettersTokenizer):
    """Always pads on the left."""

    def _pad(self, encoded_inputs: Any, *args: Any, **kwargs: Any) -> Any:
        return super()._pad(encoded_inputs, *args, **kwargs | {"padding_side": "left"})
