"""Works with the tokenizer: its facts, the pad token, encoded prompts, training labels."""
