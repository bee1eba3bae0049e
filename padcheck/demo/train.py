"""Trains the embedded demo model, and checks that padding does to it what the demo is meant to show."""

import argparse
import json
import random
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, GPT2Config, GPT2LMHeadModel

from padcheck.demo.corpus import Sample, generate_samples

PROMPTS = ("Monday Tuesday", "January February March", "three plus four is", "one two three four five six")
EOS = "<|endoftext|>"
IGNORED = -100  # the label that the loss leaves out
CONTEXT = 128
NEW_TOKENS = 10
MIN_MARGIN = 2.0
STEPS = 1800
BATCH_SIZE = 64
LEARNING_RATE = 4e-3
SEED = 0
W = 4
TOKENS = 2048
WD = 0.1


class Encoded(NamedTuple):
    """A sample as the model sees it."""

    sample: Sample
    prompt_length: int  # tokens in the shortest prompt
    input_ids: list[int]  # prompt, rest and, where the text is finished, eos


def train_tokenizer(texts: Iterable[str]) -> Tokenizer:
    """Returns a byte-level BPE tokenizer in which each word of the texts is one token."""
    words = sorted({word for text in texts for word in text.replace(",", " ,").split()})
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    # All 256 bytes are tokens, so that any text can be encoded.
    trainer = trainers.BpeTrainer(
        vocab_size=512, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    # As bare words, all equally frequent, at the start of a text and after a space.
    tokenizer.train_from_iterator((form for word in words for form in (word, f" {word}")), trainer)
    tokenizer.add_special_tokens([EOS])
    return tokenizer


def encode(tokenizer: Tokenizer, sample: Sample) -> Encoded:
    """Returns the sample's tokens, cut at the context's end."""
    input_ids = tokenizer.encode(sample.prompt + sample.rest + EOS * sample.finished).ids
    return Encoded(sample, len(tokenizer.encode(sample.prompt).ids), input_ids[:CONTEXT])


def pad(rows: Sequence[list[int]], value: int) -> Tensor:
    """Returns the rows as one tensor, filled up on the right."""
    length = max(map(len, rows))
    return torch.tensor([row + [value] * (length - len(row)) for row in rows])  # (batch, seq_len)


def train(model: GPT2LMHeadModel, texts: Sequence[Encoded]) -> float:
    """Trains the model on random texts cut at random lengths, and returns its last loss."""
    rng = random.Random(SEED)
    eos = model.config.eos_token_id
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=WD, fused=True, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=STEPS, pct_start=0.1)
    began = time.monotonic()
    model.train()
    for step in range(1, STEPS + 1):
        length = round(6 * (CONTEXT / 6) ** rng.random())
        # Texts about as long as the batch, so that little of it is padding.
        families: dict[str, list[list[int]]] = defaultdict(list)
        for text in texts:
            if len(text.input_ids) > length / 2:
                families[text.sample.family].append(text.input_ids)
        weights = [W if family in ("sums", "differences") else 1 for family in families]
        chosen = rng.choices(list(families.values()), weights, k=TOKENS // length)
        rows = [rng.choice(family) for family in chosen]
        rows = [row + [rng.choice(texts).input_ids[0]] if row[-1] == eos else row for row in rows]
        rows = [row[:length] for row in rows]
        # No attention mask: a causal model's tokens never see the pads that come after them.
        input_ids = pad(rows, model.config.eos_token_id)  # (batch, seq_len)
        labels = pad(rows, IGNORED)  # (batch, seq_len)
        loss = model(input_ids=input_ids, labels=labels).loss  # ()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % 200 == 0:
            print(f"step {step:5}/{STEPS}  loss {loss.item():.3f}  {time.monotonic() - began:.0f} s", flush=True)
    model.eval()
    return loss.item()
