"""The batches that the usual collators make of the texts for training: ids, mask and labels."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from transformers import (
    DataCollatorForLanguageModeling,
    DataCollatorForSeq2Seq,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from padcheck.core.task_plans import TaskRunName
from padcheck.hf.calls.batches import Batch, Rows
from padcheck.hf.calls.generation import tensors
from padcheck.hf.library.devices import input_device
from padcheck.hf.tokenizer.pad_tokens import PadToken, padding_with

IGNORED = -100
"""The label of a token that the losses of transformers and torch leave out."""

Collated = dict[str, torch.Tensor]
"""input_ids, attention_mask and labels, each (batch, width)."""


def collators(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, batch: Batch, pad_token: PadToken
) -> dict[TaskRunName, Callable[[], Collated]]:
    """What makes the batch of each step, by the name of the step. All pad with this pad token."""
    by_transformers = partial(_by_collator, model, tokenizer, batch, pad_token)
    return {
        "step_right": lambda: masked_by_mask(model, batch.padded("right")),
        "step_left": lambda: masked_by_mask(model, batch.padded("left")),
        "step_left_first": lambda: _without_first(masked_by_mask(model, batch.padded("left"))),
        "step_pad_id": lambda: by_transformers(DataCollatorForLanguageModeling(tokenizer, mlm=False), labels=False),
        "step_label_pads": lambda: by_transformers(DataCollatorForSeq2Seq(tokenizer), labels=True),
        "step_all_ids": lambda: _all_ids(model, batch.padded("right")),
    }


def masked_by_mask(model: PreTrainedModel, rows: Rows) -> Collated:
    """The rows, with a label for each token of a text and none for pads."""
    input_ids, attention_mask = tensors(model, rows)
    labels = input_ids.masked_fill(attention_mask == 0, IGNORED)
    return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}


def _without_first(collated: Collated) -> Collated:
    """Without a label for the first token of a left-padded text: nothing but a pad would predict it."""
    first = collated["attention_mask"].cumsum(-1) == 1
    return collated | {"labels": collated["labels"].masked_fill(first, IGNORED)}


def _all_ids(model: PreTrainedModel, rows: Rows) -> Collated:
    collated = masked_by_mask(model, rows)
    return collated | {"labels": collated["input_ids"].clone()}


def _by_collator(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    batch: Batch,
    pad_token: PadToken,
    collator: Callable[[list[dict[str, Any]]], Any],
    *,
    labels: bool,
) -> Collated:
    features = [
        {"input_ids": [*ids], "attention_mask": [1] * len(ids)} | ({"labels": [*ids]} if labels else {})
        for ids in batch.prompts.values()
    ]
    with _padding_right(tokenizer, pad_token):
        collated = collator(features)
    return {name: collated[name].to(input_device(model)) for name in ("input_ids", "attention_mask", "labels")}


@contextmanager
def _padding_right(tokenizer: PreTrainedTokenizerBase, pad_token: PadToken) -> Iterator[None]:
    """Within the context the tokenizer pads on the right, with this token."""
    side = tokenizer.padding_side
    with padding_with(tokenizer, pad_token.token):
        tokenizer.padding_side = "right"
        try:
            yield
        finally:
            tokenizer.padding_side = side
