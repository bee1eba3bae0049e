"""Wider batches: further pad columns where the pads are, in everything that has a column for each token."""

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, DataCollatorWithPadding

from padcheck.demo import MODEL_FOLDER
from padcheck.watching.widening import Widening

TEXTS = ["Monday Tuesday Wednesday", "January"]


@pytest.fixture(params=["left", "right"])
def tokenizer(request):
    tokenizer = AutoTokenizer.from_pretrained(MODEL_FOLDER, padding_side=request.param)
    tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


@pytest.mark.parametrize("kind", ["pt", "np", None])
def test_every_padded_batch_gets_pads_on_its_side(tokenizer, kind):
    plain = tokenizer(TEXTS, padding=True, return_tensors=kind, return_special_tokens_mask=True)
    widening = Widening(3)
    with widening.active():
        wide = tokenizer(TEXTS, padding=True, return_tensors=kind, return_special_tokens_mask=True)
    assert widening.batches == 1
    assert type(wide["input_ids"]) is type(plain["input_ids"])
    new, old = (slice(3), slice(3, None)) if tokenizer.padding_side == "left" else (slice(-3, None), slice(-3))
    pads = {"input_ids": tokenizer.pad_token_id, "attention_mask": 0, "special_tokens_mask": 1}
    for name, pad in pads.items():
        value = np.asarray(wide[name])
        assert (value[:, new] == pad).all()
        assert np.array_equal(value[:, old], np.asarray(plain[name]))


def test_a_collator_of_the_library_is_widened_once(tokenizer):
    widening = Widening(2)
    rows = [tokenizer(text) for text in TEXTS]
    plain = DataCollatorWithPadding(tokenizer)(rows)
    with widening.active():
        wide = DataCollatorWithPadding(tokenizer)([tokenizer(text) for text in TEXTS])
    assert wide["input_ids"].shape[1] == plain["input_ids"].shape[1] + 2
    assert wide["attention_mask"].sum() == plain["attention_mask"].sum()


def test_batches_without_pads_stay_as_they_are(tokenizer):
    widening = Widening(3)
    with widening.active():
        alone = tokenizer(TEXTS[0], return_tensors="pt")
        equal = tokenizer([TEXTS[0]] * 2, padding=True, return_tensors="pt")
        lists = tokenizer(TEXTS)
        ids = tokenizer.encode(TEXTS[0])
    assert widening.batches == 0
    assert alone["input_ids"].shape[1] == equal["input_ids"].shape[1] == len(lists["input_ids"][0]) == len(ids)
    assert isinstance(alone["input_ids"], torch.Tensor)
