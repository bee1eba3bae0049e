"""The mask is applied, but the mean divides by the padded width."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday Thursday", "one two"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
with torch.no_grad():
    logits = model(**batch).logits[:, :-1]
scores = logits.log_softmax(-1).gather(2, batch.input_ids[:, 1:, None]).squeeze(-1)
masked = scores * batch.attention_mask[:, 1:]
print(masked.mean(1).tolist())  # fault: PAD509
