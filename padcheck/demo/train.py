"""Trains the demo model, and checks that padding changes its output as the demo is meant to show."""

import argparse
import json
import random
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, GPT2Config, GPT2LMHeadModel

from padcheck.demo.corpus import Sample, generate_samples

PROMPTS = ("Monday Tuesday", "January February March", "three plus four is", "one two three four five six")
NEW_TOKENS = 10
MIN_MARGIN = 2.0  # between the logits of the two likeliest tokens; rounding changes them far less

EOS = "<|endoftext|>"
IGNORED = -100  # the loss ignores this label
CONTEXT = 128
LENGTHS = (8, 32, CONTEXT)  # each step has one batch of each length, in tokens
BATCH_TOKENS = 512
STEPS = 2400
REPORT_STEPS = 200
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 1.0  # strong: with less, the model memorises the sums and does not learn them
SUMS = {"sums", "differences"}
SUM_WEIGHT = 8  # how much more often a family of sums is drawn than a list
SEED = 0


class Text(NamedTuple):
    """A sample as tokens."""

    sample: Sample
    prompt_length: int  # tokens in the sample's prompt
    input_ids: list[int]  # prompt, rest, and eos if the text is finished


def train_tokenizer(samples: Iterable[Sample]) -> Tokenizer:
    """Returns a byte-level BPE tokenizer in which each word of the samples is one token."""
    words = sorted({word for sample in samples for word in (sample.prompt + sample.rest).split()})
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    # All 256 bytes are tokens, so any text can be encoded.
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=512, initial_alphabet=alphabet, show_progress=False)
    # Each word occurs once at the beginning of a text and once in the middle, so rare words become tokens too.
    tokenizer.train_from_iterator((form for word in words for form in (word, f" {word}")), trainer)
    tokenizer.add_special_tokens([EOS])
    return tokenizer


def encode(tokenizer: Tokenizer, sample: Sample) -> Text:
    """Returns the sample as tokens, truncated to the length that the model accepts."""
    input_ids = tokenizer.encode(sample.prompt + sample.rest + EOS * sample.finished).ids
    return Text(sample, len(tokenizer.encode(sample.prompt)), input_ids[:CONTEXT])


def pad(rows: Sequence[list[int]], value: int) -> Tensor:
    """Returns the rows as one tensor, padded on the right."""
    length = max(map(len, rows))
    return torch.tensor([row + [value] * (length - len(row)) for row in rows])  # (batch, seq_len)


def draw_rows(rng: random.Random, texts: Sequence[Text], length: int, eos_token_id: int) -> list[list[int]]:
    """Returns the tokens of random texts, truncated to `length`."""
    families: dict[str, list[list[int]]] = defaultdict(list)
    for text in texts:
        if 4 * len(text.input_ids) > length:  # a shorter text would be mostly pads
            families[text.sample.family].append(text.input_ids)
    weights = [SUM_WEIGHT if family in SUMS else 1 for family in families]
    chosen = rng.choices(list(families.values()), weights, k=BATCH_TOKENS // length)
    rows = [rng.choice(family) for family in chosen]
    # After eos comes the first word of another text, as in the training of GPT-2.
    rows = [row + rng.choice(texts).input_ids[:1] if row[-1] == eos_token_id else row for row in rows]
    return [row[:length] for row in rows]


def train(model: GPT2LMHeadModel, texts: Sequence[Text]) -> float:
    """Trains the model on batches of short, medium and long texts, and returns the mean loss of the last steps."""
    rng = random.Random(SEED)
    eos_token_id = model.config.eos_token_id
    optimizer = torch.optim.AdamW(model.parameters(), LEARNING_RATE, betas=(0.9, 0.98), weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=STEPS, pct_start=0.1)
    began = time.monotonic()
    losses: list[float] = []
    model.train()
    for step in range(1, STEPS + 1):
        for length in LENGTHS:
            rows = draw_rows(rng, texts, length, eos_token_id)
            # No attention mask is needed: a token of a causal model sees only earlier tokens, and the pads come later.
            input_ids = pad(rows, eos_token_id)  # (batch, seq_len)
            labels = pad(rows, IGNORED)  # (batch, seq_len)
            loss = model(input_ids=input_ids, labels=labels).loss  # ()
            (loss / len(LENGTHS)).backward()
            losses.append(loss.item())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        if step % REPORT_STEPS == 0:
            mean_loss = sum(losses) / len(losses)
            print(f"step {step:4}/{STEPS}, loss {mean_loss:.3f}, {time.monotonic() - began:.0f} s", flush=True)
            losses.clear()
    model.eval()
    return mean_loss


@torch.inference_mode()
def print_accuracy(model: GPT2LMHeadModel, texts: Sequence[Text]) -> None:
    """Prints how many prompts of each family, of every start and length, the model continues exactly."""
    outcomes: dict[str, list[bool]] = defaultdict(list)
    for text in texts:
        input_ids = torch.tensor([text.input_ids])  # (1, seq_len)
        predicted = model(input_ids).logits[:, :-1].argmax(-1)  # (1, seq_len - 1)
        # Greedy decoding follows the text as long as each token of the text is the likeliest one.
        right = (predicted == input_ids[:, 1:])[0].tolist()
        name = text.sample.family + (", held out" if text.sample.held_out else "")
        # Only the answer of a sum counts, not what follows it.
        stop = text.prompt_length + 1 if text.sample.family in SUMS else len(text.input_ids)
        for length in range(text.prompt_length, stop):
            outcomes[name].append(all(right[length - 1 : length - 1 + NEW_TOKENS]))
    for name, outcome in outcomes.items():
        print(f"{name}: {sum(outcome)} of {len(outcome)} prompts right ({sum(outcome) / len(outcome):.1%})")


def save(model: GPT2LMHeadModel, tokenizer: Tokenizer, folder: Path) -> None:
    """Saves model and tokenizer like GPT-2: bos and eos are the same token, and there is no pad token."""
    eos_token_id = model.config.eos_token_id
    model.generation_config = GenerationConfig(bos_token_id=eos_token_id, eos_token_id=eos_token_id)
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "bos_token": EOS,
        "clean_up_tokenization_spaces": False,
        "eos_token": EOS,
        "model_input_names": ["input_ids", "attention_mask"],
        "model_max_length": CONTEXT,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def generate(model: Any, tokenizer: Any, prompts: Sequence[str], padding_side: str) -> tuple[list[str], float]:
    """Returns the new text of each prompt, and the smallest margin between the two best logits for the first prompt."""
    batch = tokenizer(list(prompts), padding=True, padding_side=padding_side, return_tensors="pt")  # (batch, seq_len)
    output = model.generate(
        **batch,
        max_new_tokens=NEW_TOKENS,
        do_sample=False,
        pad_token_id=tokenizer.pad_token_id,
        output_logits=True,
        return_dict_in_generate=True,
    )
    new_ids = output.sequences[:, batch["input_ids"].shape[1] :]  # (batch, new_tokens)
    top = torch.stack(output.logits)[:, 0].topk(2).values  # (new_tokens, 2)
    return tokenizer.batch_decode(new_ids, skip_special_tokens=True), float((top[:, 0] - top[:, 1]).min())


def check_prompts(folder: Path, texts: Sequence[Text]) -> bool:
    """Prints what the saved model generates for the demo's prompts. Returns True if padding changes it as intended."""
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = tokenizer.eos_token
    encoded = [tokenizer(prompt)["input_ids"] for prompt in PROMPTS]
    longest = max(map(len, encoded))
    left, _ = generate(model, tokenizer, PROMPTS, "left")
    right, _ = generate(model, tokenizer, PROMPTS, "right")
    passed = True
    for index, (prompt, input_ids) in enumerate(zip(PROMPTS, encoded, strict=True)):
        length = len(input_ids)
        (single,), margin = generate(model, tokenizer, [prompt], "left")
        true_ids = next(text.input_ids for text in texts if text.input_ids[:length] == input_ids)
        true = tokenizer.decode(true_ids[length : length + NEW_TOKENS], skip_special_tokens=True)
        passed &= single == left[index] == true and margin >= MIN_MARGIN
        passed &= length == longest or right[index] != single
        print(f"{prompt!r}: {length} tokens, least margin {margin:.1f}")
        print(f"  single {single!r}\n  left   {left[index]!r}\n  right  {right[index]!r}")
    return passed


def main() -> int:
    """Trains, saves and checks the model, and returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    help_text = "where `model` and `prompts.txt` are written (default: this package)"
    parser.add_argument("--out", type=Path, metavar="FOLDER", default=Path(__file__).parent, help=help_text)
    out: Path = parser.parse_args().out
    torch.manual_seed(SEED)
    torch.set_num_threads(1)  # so the result does not depend on the number of cores; a small model is not slower
    torch.set_flush_denormal(True)  # calculating with denormal numbers is very slow

    samples = list(generate_samples(CONTEXT))
    tokenizer = train_tokenizer(samples)
    texts = [encode(tokenizer, sample) for sample in samples]
    eos_token_id = tokenizer.token_to_id(EOS)
    config = GPT2Config(
        vocab_size=tokenizer.get_vocab_size(),
        n_positions=CONTEXT,
        n_embd=64,
        n_layer=2,
        n_head=4,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        resid_pdrop=0.0,
        bos_token_id=eos_token_id,
        eos_token_id=eos_token_id,
    )
    model = GPT2LMHeadModel(config)
    loss = train(model, [text for text in texts if not text.sample.held_out])

    print_accuracy(model, texts)
    save(model, tokenizer, out / "model")
    (out / "prompts.txt").write_text("".join(f"{prompt}\n" for prompt in PROMPTS), encoding="utf-8")
    size = sum(file.stat().st_size for file in (out / "model").iterdir())
    print(f"loss {loss:.3f}, {model.num_parameters():,} parameters, {size:,} bytes in {out / 'model'}")
    passed = check_prompts(out / "model", texts)
    print("The demo shows what it should." if passed else "The demo does not show what it should.")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
