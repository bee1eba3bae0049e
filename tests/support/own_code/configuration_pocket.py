"""The configuration of a model that transformers does not have."""

from transformers import LlamaConfig


class PocketConfig(LlamaConfig):
    """Llama's, under a name that only this folder knows."""

    model_type = "pocket"
