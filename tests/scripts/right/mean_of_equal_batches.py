"""Averages the losses of micro-batches with the same number of tokens, and of steps for the log."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
steps = [(["Monday Tuesday Wednesday", "January"], ["Tuesday", "May June July"]), (["one two"], ["May June"])]
logged = []
for micro_batches in steps:
    for texts in micro_batches:
        batch = tokenizer(texts, padding="max_length", max_length=24, return_tensors="pt")
        labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
        labels[:, 4:] = -100
        loss = model(**batch, labels=labels).loss / len(micro_batches)
        loss.backward()
        logged.append(loss.detach())
    optimizer.step()
    optimizer.zero_grad()
print(f"{torch.stack(logged).mean():.3f}")
