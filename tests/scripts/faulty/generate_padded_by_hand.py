"""Pads by hand, on the wrong side."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
rows = [torch.tensor(tokenizer.encode(text)) for text in ("Monday Tuesday Wednesday", "March")]
ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=tokenizer.pad_token_id)
mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
output = model.generate(ids, attention_mask=mask, max_new_tokens=3)  # fault: PAD501
print(tokenizer.batch_decode(output, skip_special_tokens=True))
