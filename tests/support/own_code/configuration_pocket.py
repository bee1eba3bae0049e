"""The configuration of a model that transformers does not have."""

from transformers import LlamaConfig


class PocketConfig(LlamaConfig):
    """Llama's config, under a model type that only this folder defines."""

    model_type = "pocket"
