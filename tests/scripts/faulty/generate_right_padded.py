"""Generates with the tokenizer's default side."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
output = model.generate(**batch, max_new_tokens=4)  # fault: PAD501
print(tokenizer.batch_decode(output, skip_special_tokens=True))
