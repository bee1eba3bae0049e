"""Cuts long prompts at their end."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday Thursday Friday", "one two"]
batch = tokenizer(texts, padding=True, truncation=True, max_length=3, return_tensors="pt")
output = model.generate(**batch, max_new_tokens=3)  # fault: PAD519
print(tokenizer.batch_decode(output, skip_special_tokens=True))
