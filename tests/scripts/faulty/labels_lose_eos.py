"""Masks the labels by the pad id, which is eos."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = [f"{text}<|endoftext|>" for text in ("Monday Tuesday Wednesday", "one two")]
batch = tokenizer(texts, padding=True, return_tensors="pt")
labels = batch.input_ids.clone()
labels[labels == tokenizer.pad_token_id] = -100
loss = model(**batch, labels=labels).loss  # fault: PAD511
loss.backward()
print(loss.item())
