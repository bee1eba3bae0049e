"""Sorts the ids by length, but not the mask."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["January", "Monday Tuesday Wednesday", "one two"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
order = batch.attention_mask.sum(1).argsort(descending=True)
output = model.generate(batch.input_ids[order], attention_mask=batch.attention_mask, max_new_tokens=3)  # fault: PAD505
print(tokenizer.batch_decode(output[order.argsort()], skip_special_tokens=True))
