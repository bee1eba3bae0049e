"""A model that transformers does not have."""

from transformers import LlamaForCausalLM

from .configuration_pocket import PocketConfig


class PocketForCausalLM(LlamaForCausalLM):
    """Llama's layers and weights."""

    config_class = PocketConfig
