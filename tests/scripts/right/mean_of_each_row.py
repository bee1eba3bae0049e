"""Prints the perplexity of each text, from the mean loss of its row."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday Thursday", "red one two"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
with torch.no_grad():
    logits = model(**batch).logits[:, :-1]
labels, mask = batch.input_ids[:, 1:], batch.attention_mask[:, 1:]
losses = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none")
print([round(each, 3) for each in ((losses * mask).sum(1) / mask.sum(1)).exp().tolist()])
