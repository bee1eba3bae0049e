"""max_new_tokens decides, whatever max_length the config has."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["Monday Tuesday Wednesday", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
model.generation_config.max_length = 6
output = model.generate(**batch, max_new_tokens=3)
print(tokenizer.batch_decode(output, skip_special_tokens=True))
