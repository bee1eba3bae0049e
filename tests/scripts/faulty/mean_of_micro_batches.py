"""Collects the gradients of micro-batches with unequal numbers of tokens, each divided by their number."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
micro_batches = [["Monday Tuesday Wednesday Thursday Friday Saturday", "January"], ["one two", "red"]]
for texts in micro_batches:
    batch = tokenizer(texts, padding=True, return_tensors="pt")
    labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
    loss = model(**batch, labels=labels).loss / len(micro_batches)
    loss.backward()  # fault: PAD512
    print(f"{loss.item():.4f}")
optimizer.step()
