"""The collator for language modeling, with a pad token that is no eos."""

import sys

import torch
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM, AutoTokenizer, DataCollatorForLanguageModeling

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
tokenizer.pad_token = tokenizer.convert_ids_to_tokens(3)
rows = [tokenizer(f"{text}<|endoftext|>") for text in ("Monday Tuesday Wednesday", "one two", "May")]
loader = DataLoader(rows, batch_size=3, collate_fn=DataCollatorForLanguageModeling(tokenizer, mlm=False))
torch.manual_seed(0)
for batch in loader:
    print(model(**batch).loss.item())
