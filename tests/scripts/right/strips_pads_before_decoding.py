"""Decodes the prompt and the answer, from the row's first token on."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
output = model.generate(**batch, max_new_tokens=4)
for row, mask in zip(output, batch.attention_mask, strict=True):
    print(tokenizer.decode(row[mask.argmax() :], skip_special_tokens=True))
