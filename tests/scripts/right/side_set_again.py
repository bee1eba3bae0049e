"""Gives its tokenizer to a library, which sets the padding side, and sets it back before the next batch."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

LIBRARY = """
def prepare_training(tokenizer):
    tokenizer.padding_side = "right"
"""
library = {"__name__": "some_trainer"}
exec(compile(LIBRARY, "<some_trainer>", "exec"), library)  # code in no file of the program, like an installed library

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], padding_side="left")
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
library["prepare_training"](tokenizer)
tokenizer.padding_side = "left"
batch = tokenizer(["Monday Tuesday Wednesday", "January"], padding=True, return_tensors="pt")
output = model.generate(**batch, max_new_tokens=4)
print(tokenizer.batch_decode(output, skip_special_tokens=True))
