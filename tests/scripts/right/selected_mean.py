"""Selects the columns with text before the mean."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
with torch.no_grad():
    logits = model(**batch).logits[:, :-1]
scores = logits.log_softmax(-1).gather(2, batch.input_ids[:, 1:, None]).squeeze(-1)
print(scores[batch.attention_mask[:, 1:].bool()].mean().exp().item())
