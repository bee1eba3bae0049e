"""Labels only for the answer, which is the usual way to fine-tune."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
prompts, answers = ["Monday", "one two"], [" Tuesday Wednesday", " three"]
batch = tokenizer([a + b for a, b in zip(prompts, answers, strict=True)], padding=True, return_tensors="pt")
labels = batch.input_ids.masked_fill(batch.attention_mask == 0, -100)
for row, prompt in enumerate(prompts):
    labels[row, : len(tokenizer.encode(prompt))] = -100
print(model(**batch, labels=labels).loss.item())
