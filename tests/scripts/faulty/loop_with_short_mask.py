"""A decoding loop whose mask covers only the new token."""

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
    token = output.logits[:, -1].argmax(-1, keepdim=True)
    output = model(  # fault: PAD506
        token,
        attention_mask=torch.ones_like(token),
        position_ids=positions[:, -1:] + 1,
        past_key_values=output.past_key_values,
    )
    print(output.logits[:, -1].argmax(-1).tolist())
