"""Takes the last column as the embedding of a text."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
with torch.no_grad():
    hidden = model.transformer(**batch).last_hidden_state
embeddings = hidden[:, -1, :]  # fault: PAD508
embeddings = torch.nn.functional.normalize(embeddings, dim=-1)
print((embeddings @ embeddings.T).tolist())
