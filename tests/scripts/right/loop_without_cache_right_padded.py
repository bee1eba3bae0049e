"""A decoding loop that writes each token after the row's last one."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
ids = torch.cat([batch.input_ids, batch.input_ids.new_full((2, 4), tokenizer.pad_token_id)], dim=1)
lengths = batch.attention_mask.sum(1)
rows = torch.arange(len(ids))
with torch.no_grad():
    for _ in range(4):
        mask = (torch.arange(ids.shape[1])[None] < lengths[:, None]).long()
        logits = model(ids, attention_mask=mask).logits
        ids[rows, lengths] = logits[rows, lengths - 1].argmax(-1)
        lengths = lengths + 1
print(tokenizer.batch_decode(ids))
