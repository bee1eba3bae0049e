"""Makes a mask of ones."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
mask = torch.ones_like(batch.input_ids)
output = model.generate(batch.input_ids, attention_mask=mask, max_new_tokens=4)  # fault: PAD503
print(tokenizer.batch_decode(output, skip_special_tokens=True))
