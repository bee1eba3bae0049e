"""A score that sums over pads too."""

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
total = scores.sum(1)  # fault: PAD509
print(total.tolist())
