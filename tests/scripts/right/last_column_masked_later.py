"""Reads all columns in a loop, and masks the sum."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
with torch.no_grad():
    scores = model(**batch).logits.log_softmax(-1)
total = torch.zeros(len(texts))
for column in range(1, batch.input_ids.shape[1]):
    read = scores[:, column - 1].gather(1, batch.input_ids[:, column : column + 1]).squeeze(1)
    total += read * batch.attention_mask[:, column]
print(total.tolist())
