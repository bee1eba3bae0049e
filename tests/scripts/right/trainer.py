"""A Trainer with the collator of transformers, and a pad token that is no eos."""

import sys
import tempfile

from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    PrinterCallback,
    Trainer,
    TrainingArguments,
)

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(sys.argv[1]).eval()
tokenizer.pad_token = tokenizer.convert_ids_to_tokens(3)
rows = [tokenizer(f"{text}<|endoftext|>") for text in ("Monday Tuesday Wednesday", "one two", "May", "seven")]
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(folder, max_steps=3, report_to=[], use_cpu=True, disable_tqdm=True)
    collator = DataCollatorForLanguageModeling(tokenizer, mlm=False)
    trainer = Trainer(model=model, args=arguments, train_dataset=rows, data_collator=collator)
    trainer.remove_callback(PrinterCallback)  # it prints times
    print(trainer.train().training_loss)
