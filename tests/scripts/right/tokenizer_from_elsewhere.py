"""Loads the tokenizer from a copy with an added token, under another name than the model."""

import sys
import tempfile

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.add_special_tokens({"pad_token": "<pad>"})
tokenizer.add_tokens(["Wednesday"])
with tempfile.TemporaryDirectory() as folder:
    tokenizer.save_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
batch = tokenizer(["Monday Tuesday Wednesday", "January"], padding=True, return_tensors="pt")
output = model.generate(**batch, max_new_tokens=2, pad_token_id=tokenizer.pad_token_id)
print(output.shape)
