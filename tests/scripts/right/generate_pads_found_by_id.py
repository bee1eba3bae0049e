"""generate() finds the pads itself, because the pad token is no eos."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
tokenizer.pad_token = tokenizer.convert_ids_to_tokens(3)
model.generation_config.pad_token_id = 3
batch = tokenizer(["Monday Tuesday Wednesday", "January"], padding=True, return_tensors="pt")
print(tokenizer.batch_decode(model.generate(batch.input_ids, max_new_tokens=3), skip_special_tokens=True))
