"""Moshi's decoder, with a prompt longer than config.sliding_window, must give the same logits with or without cache.

DynamicCache(config=config) reads `sliding_window` and keeps only the last tokens. But MoshiModel.forward
(models/moshi/modeling_moshi.py) builds its mask with create_causal_mask, so it reads the prompt without a window.
With the cache, new tokens then see fewer tokens than without it.
"""

import torch
from transformers import DynamicCache, MoshiConfig, MoshiForCausalLM

torch.manual_seed(0)
sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 64}
config = MoshiConfig(**sizes, vocab_size=99, num_codebooks=2, sliding_window=8, initializer_range=0.2)
model = MoshiForCausalLM(config).eval()


def difference(length, **kwargs):
    prompt = torch.randint(3, 99, (1, length), generator=torch.manual_seed(0))
    settings = {"max_new_tokens": 3, "min_new_tokens": 3, "return_dict_in_generate": True}
    settings |= {"output_logits": True, "do_sample": False, "attention_mask": torch.ones_like(prompt)}
    cached = model.generate(prompt, **settings, **kwargs).logits[1]
    return (cached - model.generate(prompt, use_cache=False, **settings).logits[1]).abs().max()


print(f"right: second new token, prompt of 5 tokens {difference(5):.2g}")
whole = difference(20, past_key_values=DynamicCache())
print(f"right: second new token, prompt of 20 tokens, a cache without a window {whole:.2g}")
print(f"wrong: second new token, prompt of 20 tokens {difference(20):.2g}")
