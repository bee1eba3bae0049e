"""Evaluates in batches, and weights the loss of each batch by its number of tokens."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday Thursday Friday", "January February", "one two", "May June"]
total, tokens = torch.zeros(()), 0
with torch.no_grad():
    for start in range(0, len(texts), 2):
        batch = tokenizer(texts[start : start + 2], padding=True, return_tensors="pt")
        labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
        count = (labels[:, 1:] != -100).sum()
        total += model(**batch, labels=labels).loss * count
        tokens += count
print(f"perplexity {(total / tokens).exp():.3f}")
