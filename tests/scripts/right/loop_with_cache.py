"""A decoding loop with mask and positions for every step."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
positions = (batch.attention_mask.cumsum(1) - 1).clamp(min=0)
mask = batch.attention_mask
output = model(**batch, position_ids=positions, use_cache=True)
new = []
for _ in range(4):
    token = output.logits[:, -1].argmax(-1, keepdim=True)
    new.append(token)
    mask = torch.cat([mask, mask.new_ones(len(mask), 1)], dim=1)
    positions = positions[:, -1:] + 1
    output = model(token, attention_mask=mask, position_ids=positions, past_key_values=output.past_key_values)
print(tokenizer.batch_decode(torch.cat(new, dim=1)))
