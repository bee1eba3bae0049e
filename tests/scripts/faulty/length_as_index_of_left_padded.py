"""Reads the column mask.sum() - 1 of a left-padded batch."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
positions = (batch.attention_mask.cumsum(1) - 1).clamp(min=0)
with torch.no_grad():
    logits = model(**batch, position_ids=positions).logits
last = batch.attention_mask.sum(1) - 1
chosen = logits[torch.arange(len(last)), last]  # fault: PAD508
print(chosen.argmax(-1).tolist())
