"""Small programs with a padded batch, for `padcheck run`."""

from padcheck.demo import MODEL_FOLDER

LOADED = f"""
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained({str(MODEL_FOLDER)!r})
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained({str(MODEL_FOLDER)!r}).eval()
batch = tokenizer(["Monday Tuesday Wednesday", "January"], padding=True, return_tensors="pt")
"""
WRONG = LOADED + "output = model.generate(**batch, max_new_tokens=2)\nprint(output.tolist(), sys.argv[1:])\n"
RIGHT = LOADED + "print(model(**batch).logits.shape)\n"
LINE = WRONG.splitlines().index("output = model.generate(**batch, max_new_tokens=2)") + 1
"""The line of the mistake in WRONG."""
