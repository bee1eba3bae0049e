"""A weighted mean whose weights are 0 at the pads."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
with torch.no_grad():
    hidden = model(**batch, output_hidden_states=True).hidden_states[-1]
weights = hidden.sum(-1).masked_fill(batch.attention_mask == 0, -1e9).softmax(1)
print((hidden * weights[..., None]).sum(1)[:, :2].tolist())
