"""From a name to a config, a tokenizer and a model, and one clear message for each way in which that fails."""
