"""Gathers the column of the width from a right-padded batch."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
with torch.no_grad():
    logits = model(**batch).logits
index = torch.full((len(texts), 1, logits.shape[-1]), logits.shape[1] - 1)
last = logits.gather(1, index).squeeze(1)  # fault: PAD508
print(last.softmax(-1).max(-1).values.tolist())
