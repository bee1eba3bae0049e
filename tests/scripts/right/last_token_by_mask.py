"""Finds the last token of each row by the mask, whatever the side."""

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
columns = torch.arange(logits.shape[1])
last = (batch.attention_mask * columns).argmax(1)
print(logits[torch.arange(len(last)), last].argmax(-1).tolist())
