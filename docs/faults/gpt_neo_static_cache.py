"""GPT-Neo with local layers and a static cache, one prompt, no padding: same logits as without a cache.

GPTNeoSelfAttention._attn (models/gpt_neo/modeling_gpt_neo.py, line 115) takes the rows of its window from
key_length - query_length, as if the newest query were at the last key. The keys of a static cache are as many as
the cache is long, empty places too. So the window of config.window_size tokens lies at the end of the cache, where
it hides all real tokens from the local layers. The fix is to start the rows at the number of tokens in the cache
before the call, or to build the window with create_sliding_window_causal_mask as other models do.
"""

import torch
from transformers import GPTNeoConfig, GPTNeoForCausalLM

sizes = {"hidden_size": 32, "num_layers": 2, "num_heads": 4, "intermediate_size": 64, "vocab_size": 99}
sizes |= {"max_position_embeddings": 64, "bos_token_id": 1, "eos_token_id": 2, "initializer_range": 0.2}
prompt = torch.randint(3, 99, (1, 20), generator=torch.manual_seed(0))


def difference(cache, layer="local", **kwargs):
    torch.manual_seed(0)
    layers = {"attention_types": [[["global", layer], 1]], "window_size": 8} | kwargs
    model = GPTNeoForCausalLM(GPTNeoConfig(**sizes, **layers)).eval()
    settings = {"max_new_tokens": 6, "min_new_tokens": 6, "return_dict_in_generate": True, "output_logits": True}
    settings |= {"do_sample": False, "attention_mask": torch.ones_like(prompt), "pad_token_id": 0}
    cached = model.generate(prompt, cache_implementation=cache, **settings)
    uncached = model.generate(prompt, use_cache=False, **settings)
    return (torch.cat(cached.logits) - torch.cat(uncached.logits)).abs().max()


print(f"right: a local layer, the default cache {difference(None):.2g}")
print(f"right: global layers only, a static cache {difference('static', layer='global'):.2g}")
print(f"right: a local layer that sees all, a static cache {difference('static', window_size=64):.2g}")
print(f"wrong: a local layer, a static cache {difference('static'):.2g}")
