"""Loads config, tokenizer and model by name; every failure ends in one clear message."""
