"""Makes the mask from the ids, and eos is both the pad token and the end of each turn."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
texts = ["one two<|endoftext|>three four<|endoftext|>five", "January"]
batch = tokenizer(texts, padding=True, return_tensors="pt")
mask = (batch.input_ids != tokenizer.pad_token_id).long()
output = model.generate(batch.input_ids, attention_mask=mask, max_new_tokens=4)  # fault: PAD504
print(tokenizer.batch_decode(output, skip_special_tokens=True))
