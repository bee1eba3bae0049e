"""Scores what it has generated, with a mask and positions for the longer rows."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
output = model.generate(**batch, max_new_tokens=4)
mask = torch.cat([batch.attention_mask, torch.ones_like(output[:, batch.input_ids.shape[1] :])], dim=1)
positions = (mask.cumsum(1) - 1).clamp(min=0)
with torch.no_grad():
    logits = model(output, attention_mask=mask, position_ids=positions).logits[:, :-1]
scores = logits.log_softmax(-1).gather(2, output[:, 1:, None]).squeeze(-1)
print(scores[:, batch.input_ids.shape[1] - 1 :].sum(1).tolist())
