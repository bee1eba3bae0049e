"""A worker process pads rows that were encoded before."""

import sys

import torch
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
rows = [tokenizer.encode(text) for text in ("Monday Tuesday Wednesday", "March", "one two", "May")]


def collate(chosen):
    ids = [torch.tensor(row) for row in chosen]
    padded = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True, padding_value=tokenizer.pad_token_id)
    return {"input_ids": padded, "attention_mask": (padded != tokenizer.pad_token_id).long()}


for batch in DataLoader(rows, batch_size=2, num_workers=1, collate_fn=collate, multiprocessing_context="fork"):
    print(model.generate(**batch, max_new_tokens=3).tolist())  # fault: PAD501
