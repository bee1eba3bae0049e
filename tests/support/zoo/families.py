"""Tiny models of many families, a tokenizer for all of them, and prompts that give several pad counts.

Weights are random, the same every time, and large enough that a fault moves logits far beyond rounding in 16 bit too.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig, PreTrainedModel, PreTrainedTokenizerFast

Build = Callable[[torch.dtype], PreTrainedModel]

PAD, BOS, EOS, UNK = range(4)
_SPECIAL = {"pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
VOCAB_SIZE = 64

PROMPTS = (
    "the big dog and the small cat sat on",
    "then a dog ran under the tree and asked for",
    "it asked for a mat while it",
    "five tokens",
)
"""10, 11, 8 and 3 tokens with bos, so 1, 0, 3 and 8 pads. The row without pads is not the first of the batch."""


def tokenizer() -> PreTrainedTokenizerFast:
    """A tokenizer with one token per word. It adds bos."""
    vocab = {
        token: token_id for token_id, token in enumerate((*_SPECIAL.values(), *sorted(set(" ".join(PROMPTS).split()))))
    }
    words = Tokenizer(WordLevel(vocab, unk_token=_SPECIAL["unk_token"]))
    words.pre_tokenizer = Whitespace()
    words.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", BOS)])
    return PreTrainedTokenizerFast(tokenizer_object=words, padding_side="left", **_SPECIAL)


_SHORT_NAMES = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128}
_LONG_NAMES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "max_position_embeddings": 128}
_BLOCKS = {**_LONG_NAMES, "intermediate_size": 64, "num_key_value_heads": 2}
_SETTINGS: dict[str, dict[str, Any]] = {
    "gpt2": _SHORT_NAMES,
    "gpt_bigcode": _SHORT_NAMES,
    "gptj": {**_SHORT_NAMES, "rotary_dim": 4},
    "gpt_neo": {
        "hidden_size": 32,
        "num_layers": 2,
        "num_heads": 4,
        "attention_types": [[["global", "local"], 1]],
        "window_size": 4,
        "max_position_embeddings": 128,
    },
    "opt": {**_LONG_NAMES, "ffn_dim": 64, "word_embed_proj_dim": 32},
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 4},
    "falcon": _LONG_NAMES,
    "gpt_neox": {**_LONG_NAMES, "intermediate_size": 64},
    "llama": _BLOCKS,
    "qwen2": _BLOCKS,
    "mistral": {**_BLOCKS, "sliding_window": 4},
    "mixtral": {**_BLOCKS, "num_local_experts": 4},
    # No window: transformers 4.48 decodes a prompt that is shorter than the window wrongly, even alone.
    "gemma2": {**_BLOCKS, "head_dim": 8, "query_pre_attn_scalar": 8},
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8},
}


def build_family(
    dtype: torch.dtype,
    model_type: str = "llama",
    *,
    of: Callable[..., PreTrainedModel] = AutoModelForCausalLM.from_config,
    seed: int = 0,
    std: float = 0.3,
    num_layers: int = 2,
    **settings: Any,
) -> PreTrainedModel:
    """The model of a family. `settings` are added to the family's own.

    There is no eos, so every row generates all its tokens. The config has no pad token, so the embedding of pads is not
    zero.
    """
    special = {"bos_token_id": BOS, "eos_token_id": None, "pad_token_id": None}
    depth: dict[str, Any] = {"num_hidden_layers": num_layers}
    if model_type == "gpt_neo":
        depth = {"num_layers": num_layers, "attention_types": [[["global", "local"], num_layers // 2]]}
    config: PretrainedConfig = AutoConfig.for_model(
        model_type, vocab_size=VOCAB_SIZE, **special, **{**_SETTINGS[model_type], **depth, **settings}
    )
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = of(config)
        for parameter in model.parameters():
            if parameter.dim() > 1:  # initial weights differ between versions, and are often too small
                torch.nn.init.normal_(parameter, std=std)
        return model.eval().to(dtype)


FAMILIES: dict[str, Build] = {
    **{model_type: partial(build_family, model_type=model_type) for model_type in _SETTINGS},
    "falcon with ALiBi": partial(build_family, model_type="falcon", alibi=True),
}
