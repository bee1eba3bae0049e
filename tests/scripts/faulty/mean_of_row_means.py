"""Averages the losses of each row, and then the rows, which have unequal lengths."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday Thursday", "red one two"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
logits = model(**batch).logits[:, :-1]
labels, mask = batch.input_ids[:, 1:], batch.attention_mask[:, 1:]
losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
loss = ((losses * mask).sum(1) / mask.sum(1)).mean()
print(f"loss {loss.item():.4f}")  # fault: PAD512
