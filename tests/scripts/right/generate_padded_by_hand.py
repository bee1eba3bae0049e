"""Pads by hand on the left."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
rows = [tokenizer.encode(text) for text in ("Monday Tuesday Wednesday", "March")]
width = max(map(len, rows))
ids = torch.tensor([[0] * (width - len(row)) + row for row in rows])
mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
print(tokenizer.batch_decode(model.generate(ids, attention_mask=mask, max_new_tokens=3)[:, width:]))
