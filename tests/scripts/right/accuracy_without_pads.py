"""Counts the right tokens among the labels."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
with torch.no_grad():
    chosen = model(**batch).logits[:, :-1].argmax(-1)
right = (chosen == labels[:, 1:]) & (labels[:, 1:] != -100)
print(right.sum().item() / (labels[:, 1:] != -100).sum().item())
