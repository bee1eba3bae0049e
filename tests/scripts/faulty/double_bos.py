"""The template writes bos, and the text gets another one."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = [f"{tokenizer.bos_token}{tokenizer.bos_token}{text}" for text in ("Monday Tuesday", "May")]
batch = tokenizer(texts, padding=True, return_tensors="pt")
output = model.generate(**batch, max_new_tokens=3)  # fault: PAD520
print(tokenizer.batch_decode(output, skip_special_tokens=True))
