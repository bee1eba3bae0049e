"""Cuts long prompts at their start."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
tokenizer.truncation_side = "left"
texts = ["Monday Tuesday Wednesday Thursday Friday", "one two"]
batch = tokenizer(texts, padding=True, truncation=True, max_length=3, return_tensors="pt")
print(tokenizer.batch_decode(model.generate(**batch, max_new_tokens=3), skip_special_tokens=True))
