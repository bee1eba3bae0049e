"""Left-padded in bfloat16, where rounding moves the logits."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
model = model.to(torch.bfloat16)
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
output = model.generate(**batch, max_new_tokens=4)
print(tokenizer.batch_decode(output, skip_special_tokens=True))
