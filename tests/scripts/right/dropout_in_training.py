"""Training with dropout: each call gives other numbers."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
model.config.resid_pdrop = 0.5
for module in model.modules():
    if isinstance(module, torch.nn.Dropout):
        module.p = 0.3
model.train()
torch.manual_seed(0)
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
positions = (batch.attention_mask.cumsum(1) - 1).clamp(min=0)
labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
print(model(**batch, position_ids=positions, labels=labels).loss.item(), torch.rand(1).item())
