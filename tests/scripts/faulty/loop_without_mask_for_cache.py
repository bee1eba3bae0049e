"""A decoding loop that passes the mask in the first step only."""

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
with torch.no_grad():
    output = model(**batch, position_ids=positions, use_cache=True)
    for step in range(3):
        token = output.logits[:, -1].argmax(-1, keepdim=True)
        positions = positions[:, -1:] + 1
        output = model(token, position_ids=positions, past_key_values=output.past_key_values)  # fault: PAD506
        print(step, token.flatten().tolist())
