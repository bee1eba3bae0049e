"""The batch is made in one function, and used in another one."""

import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()


def encode(texts):
    return tokenizer(texts, padding="longest", return_tensors="pt")


def answer(texts):
    batch = encode(texts)
    with torch.inference_mode():
        output = model.generate(  # fault: PAD501
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            max_new_tokens=3,
        )
    return tokenizer.batch_decode(output, skip_special_tokens=True)


print(answer(["one two three", "seven"]))
