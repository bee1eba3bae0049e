"""Takes only the ids of a chat template."""

import sys

from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
tokenizer.chat_template = "{% for message in messages %}{{ message.content }} {% endfor %}"
chats = [[{"role": "user", "content": "Monday Tuesday Wednesday"}], [{"role": "user", "content": "May"}]]
ids = tokenizer.apply_chat_template(chats, padding=True, return_tensors="pt", return_dict=True)["input_ids"]
output = model.generate(ids, max_new_tokens=3)  # fault: PAD502
print(tokenizer.batch_decode(output, skip_special_tokens=True))
