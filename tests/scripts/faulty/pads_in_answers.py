"""Decodes the answers with their pads."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Saturday Sunday<|endoftext|>", "one"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
output = model.generate(**batch, max_new_tokens=12)
answers = tokenizer.batch_decode(output[:, batch.input_ids.shape[1] :])  # fault: PAD514
print(answers)
