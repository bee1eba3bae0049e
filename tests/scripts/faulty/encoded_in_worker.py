"""A worker process encodes and pads the texts, and makes a mask of ones."""

import sys

import torch
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()


def collate(chosen):
    ids = tokenizer(chosen, padding=True, return_tensors="pt").input_ids
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


texts = ["Monday Tuesday Wednesday", "March", "one two", "May June July"]
for batch in DataLoader(texts, batch_size=2, num_workers=2, collate_fn=collate, multiprocessing_context="fork"):
    print(model.generate(**batch, max_new_tokens=3).tolist())  # fault: PAD503
