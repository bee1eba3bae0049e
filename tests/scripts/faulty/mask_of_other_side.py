"""Flips the ids to the other side, but not the mask."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
rows = [ids[mask.bool()] for ids, mask in zip(batch.input_ids, batch.attention_mask, strict=True)]
width = batch.input_ids.shape[1]
pad = tokenizer.pad_token_id
ids = torch.stack([torch.cat([torch.full((width - len(row),), pad), row]) for row in rows])
output = model.generate(ids, attention_mask=batch.attention_mask, max_new_tokens=3)  # fault: PAD505
print(tokenizer.batch_decode(output, skip_special_tokens=True))
