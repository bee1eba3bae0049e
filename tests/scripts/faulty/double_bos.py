"""The template writes bos, and the text gets another one."""

import sys

from tokenizers.processors import TemplateProcessing
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
tokenizer.padding_side = "left"
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
bos = tokenizer.bos_token
tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
    single=[bos, "$A"], special_tokens=[(bos, tokenizer.bos_token_id)]
)
tokenizer.chat_template = "{{ bos_token }}{% for message in messages %}{{ message.content }}{% endfor %}"
chats = [[{"role": "user", "content": text}] for text in ("Monday Tuesday", "May")]
texts = tokenizer.apply_chat_template(chats, tokenize=False)
batch = tokenizer(texts, padding=True, return_tensors="pt")
output = model.generate(**batch, max_new_tokens=3)  # fault: PAD520
print(tokenizer.batch_decode(output, skip_special_tokens=True))
