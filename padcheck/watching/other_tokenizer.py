"""A batch whose ids come from a tokenizer that is not the model's."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedModel

from padcheck.watching.checks import ModelCall, Proven
from padcheck.watching.layout import Layout
from padcheck.watching.makers import Maker
from padcheck.watching.shadow import Shadow

_MOST_ROWS = 4
_FEWEST_TOKENS = 2
"""A loss needs a token and its successor."""


def check(call: ModelCall, makers: Sequence[Maker | None]) -> Proven | None:
    """PAD516 if the ids mean other tokens to the model's own tokenizer, and the model predicts its own ids better.

    The second condition excludes a model that was trained for another tokenizer than the one in its folder.

    Args:
        call: The call.
        makers: Who made each row.
    """
    model, layout = call.model, call.layout
    if call.before is not None or model.training or not _predicts_next_token(model):
        return None
    foreign = [
        (row, maker.tokenizer)
        for row, maker in enumerate(makers)
        if maker is not None and not _is_same(maker.tokenizer.name_or_path, model.config.name_or_path)
    ]
    own = own_tokenizer(model.config.name_or_path) if foreign else None
    if own is None:
        return None
    pairs = []
    for row, tokenizer in foreign[:_MOST_ROWS]:
        ids = layout.text(row)[0].tolist()
        right = _encoded_right(ids, tokenizer, own)
        if right is not None and len(ids) >= _FEWEST_TOKENS:
            pairs.append((ids, right))
    if not pairs:
        return None
    losses = [sum(_loss(model, each) for each in side) / len(pairs) for side in zip(*pairs, strict=True)]
    if not losses[0] > losses[1]:
        return None
    name = foreign[0][1].name_or_path or type(foreign[0][1]).__name__
    facts = {"rows": len(pairs), "tokenizer": name, "model": model.config.name_or_path}
    return Proven("PAD516", {**facts, "loss": losses[0], "own_loss": losses[1]})


@cache
def own_tokenizer(name: str) -> Any:
    """The tokenizer in the folder or cached repository of a model, or None. Nothing is downloaded."""
    try:
        return AutoTokenizer.from_pretrained(name, local_files_only=True)
    except Exception:  # noqa: BLE001  without it nothing is said
        return None


def _is_same(name: str, model: str) -> bool:
    return not model or name == model or (Path(name).exists() and Path(name).resolve() == Path(model).resolve())


def _predicts_next_token(model: PreTrainedModel) -> bool:
    return model.can_generate() and not model.config.is_encoder_decoder


def _encoded_right(ids: list[int], tokenizer: Any, own: Any) -> list[int] | None:
    """The same text in the model's own ids; None if these ids mean the same to both tokenizers.

    Most ids must stand for other tokens: a tokenizer with a few added tokens is no other one. The text must also be
    encoded in another way: two classes may spell the same token differently.
    """
    special = {*tokenizer.all_special_ids, *own.all_special_ids}
    plain = [token for token in ids if token not in special]
    other = sum(tokenizer.convert_ids_to_tokens(token) != _token(own, token) for token in plain)
    right: list[int] = own(tokenizer.decode(plain), add_special_tokens=False)["input_ids"]
    is_other = 2 * other > len(plain) and right != plain and len(right) >= _FEWEST_TOKENS
    return right if is_other else None


def _token(tokenizer: Any, token_id: int) -> str | None:
    """The token of an id; None if the vocabulary has no such id."""
    return tokenizer.convert_ids_to_tokens(token_id) if token_id < len(tokenizer) else None


def _loss(model: PreTrainedModel, ids: list[int]) -> float:
    """The mean negative log-likelihood of these ids, in nats per token."""
    row = torch.tensor([ids])
    layout = Layout(row, torch.ones_like(row, dtype=torch.bool), torch.ones(1, dtype=torch.bool))
    logits = Shadow(model, {}).alone(layout, 0)
    return float(torch.nn.functional.cross_entropy(logits[:-1].float(), row[0, 1:].to(logits.device)))
