"""A decoding loop that replaces the tokens of finished rows by pads."""

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
ids, mask = batch.input_ids, batch.attention_mask
finished = torch.zeros(len(ids), dtype=torch.bool)
with torch.no_grad():
    for _ in range(6):
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        token = model(ids, attention_mask=mask, position_ids=positions).logits[:, -1].argmax(-1)
        token = torch.where(finished, tokenizer.pad_token_id, token)
        ids = torch.cat([ids, token[:, None]], dim=1)
        mask = torch.cat([mask, (~finished).long()[:, None]], dim=1)
        finished |= token == tokenizer.eos_token_id
print(tokenizer.batch_decode(ids, skip_special_tokens=True))
