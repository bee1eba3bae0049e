"""What padcheck has to know of transformers and torch themselves, whatever the model."""
