"""A pipeline pads on the left by itself."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
generator = pipeline("text-generation", model=model, tokenizer=tokenizer, batch_size=2)
for answer in generator(["Monday Tuesday Wednesday", "January"], max_new_tokens=3, do_sample=False):
    print(answer[0]["generated_text"])
