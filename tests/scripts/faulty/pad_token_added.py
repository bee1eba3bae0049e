"""Adds a pad token, and does not resize the model."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
tokenizer.add_special_tokens({"pad_token": "<pad>"})
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
try:
    print(model(**batch).logits.shape)  # fault: PAD515
except IndexError as error:
    print(error)
