"""Computes the loss itself, and forgets the pads."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
model.train()
logits = model(**batch).logits[:, :-1]
labels = batch.input_ids[:, 1:]
loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1))  # fault: PAD510
loss.backward()
print(model.transformer.wte.weight.grad.norm().item())
