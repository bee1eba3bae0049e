"""Left padding, with positions that skip the pads."""

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
print(logits[:, -1].argmax(-1).tolist())
