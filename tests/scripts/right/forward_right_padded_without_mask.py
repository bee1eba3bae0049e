"""A causal model does not read what comes later, so right padding needs no mask."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
with torch.no_grad():
    logits = model(batch.input_ids).logits
last = batch.attention_mask.sum(1) - 1
print(logits[torch.arange(len(last)), last].argmax(-1).tolist())
