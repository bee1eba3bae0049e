"""Reads the first column, which is text in every row of a right-padded batch."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
hidden = model(**batch, output_hidden_states=True).hidden_states[-1]
print(hidden[:, 0].norm(dim=-1).tolist())
