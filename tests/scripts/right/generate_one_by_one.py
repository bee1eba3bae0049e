"""Generates without any padding, and without a mask."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
for text in ("Monday Tuesday Wednesday", "January"):
    ids = tokenizer(text, return_tensors="pt").input_ids
    print(tokenizer.decode(model.generate(ids, max_new_tokens=3)[0]))
