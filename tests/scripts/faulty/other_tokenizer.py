"""Encodes with a tokenizer whose vocabulary is not that of the model."""

import sys
import tempfile

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

words = ["<pad>", "Wednesday", "January", "Monday", "Tuesday", "one", "two"]
of_words = Tokenizer(models.WordLevel({word: number for number, word in enumerate(words)}, unk_token="<pad>"))
of_words.pre_tokenizer = pre_tokenizers.Whitespace()
with tempfile.TemporaryDirectory() as folder:
    PreTrainedTokenizerFast(tokenizer_object=of_words, pad_token="<pad>").save_pretrained(folder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder, padding_side="left")
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
batch = tokenizer(["Monday Tuesday Wednesday", "one two"], padding=True, return_tensors="pt")
output = model.generate(
    input_ids=batch.input_ids, attention_mask=batch.attention_mask, max_new_tokens=2, pad_token_id=0
)  # fault: PAD516
print(output.tolist())
