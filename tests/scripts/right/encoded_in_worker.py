"""A worker process encodes and pads the texts."""

import sys

from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()


def collate(chosen):
    return dict(tokenizer(chosen, padding=True, return_tensors="pt"))


texts = ["Monday Tuesday Wednesday", "March", "one two", "May June July"]
for batch in DataLoader(texts, batch_size=2, num_workers=2, collate_fn=collate, multiprocessing_context="fork"):
    print(model.generate(**batch, max_new_tokens=3).tolist())
