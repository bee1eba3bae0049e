"""What the tokenizer and its settings say: facts, pad tokens, encoded prompts, labels."""
