"""Evaluates in batches, and averages the losses of batches with unequal numbers of tokens."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday Thursday Friday", "January February", "one two", "May June"]
losses = []
with torch.no_grad():
    for start in range(0, len(texts), 2):
        batch = tokenizer(texts[start : start + 2], padding=True, return_tensors="pt")
        labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
        losses.append(model(**batch, labels=labels).loss)
print(f"perplexity {torch.stack(losses).mean().exp():.3f}")  # fault: PAD512
