"""Prints the padded batch with its pads, and everything about the logits of each column."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
print(tokenizer.batch_decode(batch.input_ids))
with torch.no_grad():
    logits = model(**batch).logits
print(logits.shape, logits.dtype, logits.isnan().any().item())
print(logits.argmax(-1).tolist())
