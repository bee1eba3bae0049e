"""Sorts ids and mask together, and puts the answers back."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["January", "Monday Tuesday Wednesday", "one two"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
order = batch.attention_mask.sum(1).argsort(descending=True)
output = model.generate(**{name: value[order] for name, value in batch.items()}, max_new_tokens=3)
print(tokenizer.batch_decode(output[order.argsort()], skip_special_tokens=True))
