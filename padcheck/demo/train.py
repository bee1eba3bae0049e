"""Trains the embedded demo model, and checks that padding does to it what the demo is meant to show."""

import random
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import GPT2LMHeadModel

from padcheck.demo.corpus import Sample

PROMPTS = ("Monday Tuesday", "January February March", "three plus four is", "one two three four five six")
NEW_TOKENS = 10
MIN_MARGIN = 2.0

EOS = "<|endoftext|>"
IGNORED = -100  # the label that the loss leaves out
CONTEXT = 128
LENGTHS = (8, 16, 32, 64, CONTEXT)  # tokens in a batch's rows
BATCH_TOKENS = 512
STEPS = 2000
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 1.0  # strong, for without it the sums are memorised rather than learnt
SEED = 0
W = 4


class Text(NamedTuple):
    """A sample as the model sees it."""

    sample: Sample
    prompt_length: int  # tokens in the shortest prompt
    input_ids: list[int]  # prompt, rest and, where the text is finished, eos


def train_tokenizer(samples: Iterable[Sample]) -> Tokenizer:
    """Returns a byte-level BPE tokenizer in which each word of the samples is one token."""
    words = sorted({word for sample in samples for word in (sample.prompt + sample.rest).split()})
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    # All 256 bytes are tokens, so that any text at all can be encoded.
    trainer = trainers.BpeTrainer(
        vocab_size=512, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    # Each word once as a text's beginning and once as its middle, for rare words to become tokens too.
    tokenizer.train_from_iterator((form for word in words for form in (word, f" {word}")), trainer)
    tokenizer.add_special_tokens([EOS])
    return tokenizer


def encode(tokenizer: Tokenizer, sample: Sample) -> Text:
    """Returns the sample's tokens, as many as the model can take."""
    input_ids = tokenizer.encode(sample.prompt + sample.rest + EOS * sample.finished).ids
    return Text(sample, len(tokenizer.encode(sample.prompt)), input_ids[:CONTEXT])


def pad(rows: Sequence[list[int]], value: int) -> Tensor:
    """Returns the rows as one tensor, filled up on the right."""
    length = max(map(len, rows))
    return torch.tensor([row + [value] * (length - len(row)) for row in rows])  # (batch, seq_len)


def draw_rows(rng: random.Random, texts: Sequence[Text], length: int, eos_token_id: int) -> list[list[int]]:
    """Returns a batch of random texts, cut at a length."""
    families: dict[str, list[list[int]]] = defaultdict(list)
    for text in texts:
        if 3 * len(text.input_ids) > length:  # else the row would be mostly pads
            families[text.sample.family].append(text.input_ids)
    weights = [W if family in ("sums", "differences") else 1 for family in families]  # sums are harder to learn
    rows = [rng.choice(family) for family in rng.choices([*families.values()], weights, k=BATCH_TOKENS // length)]
    # As in GPT-2's training, what comes after eos is the first word of any other text.
    rows = [row + rng.choice(texts).input_ids[:1] if row[-1] == eos_token_id else row for row in rows]
    return [row[:length] for row in rows]


def train(model: GPT2LMHeadModel, texts: Sequence[Text]) -> float:
    """Trains the model, and returns the mean loss of the last steps."""
    rng = random.Random(SEED)
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=STEPS, pct_start=0.1)
    began = time.monotonic()
    losses = []
    model.train()
    for step in range(1, STEPS + 1):
        total = 0.0
        for length in LENGTHS:
            rows = draw_rows(rng, texts, length, model.config.eos_token_id)
            # No attention mask: a causal model's tokens see only what comes before them, and pads come after.
            input_ids = pad(rows, model.config.eos_token_id)  # (batch, seq_len)
            loss = model(input_ids=input_ids, labels=pad(rows, IGNORED)).loss / len(LENGTHS)  # ()
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(total)
        if step % 200 == 0:
            mean = sum(losses[-200:]) / 200
            print(f"step {step:5}/{STEPS}  loss {mean:.3f}  {time.monotonic() - began:.0f} s", flush=True)
    model.eval()
    return sum(losses[-200:]) / 200
