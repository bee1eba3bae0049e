"""Prompts of equal length need no padding side and no mask."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
batch = tokenizer(["one two", "five six"], padding=True, return_tensors="pt")
print(tokenizer.batch_decode(model.generate(batch.input_ids, max_new_tokens=3)))
