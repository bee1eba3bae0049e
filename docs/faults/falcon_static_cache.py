"""Falcon with ALiBi and a static cache: must get the logits that it gets without a cache.

It raises an error, shown here as a difference of inf. FalconModel.forward (models/falcon/modeling_falcon.py, line
748) builds the ALiBi biases from attention_mask. Without pads they are as wide as the tokens so far, but the
causal mask is as wide as the cache, and masked_fill (line 774) cannot combine them. With pads, and at every later
token, generate() hands a mask of four dimensions to forward() (generation/utils.py, line 729), and
build_alibi_tensor expects two (line 150). A mask of two dimensions that is as wide as the cache works. The fix is
to build the biases for as many keys as past_key_values.get_mask_sizes() returns.
"""

import math
import sys

import torch
from transformers import FalconConfig, FalconForCausalLM, StaticCache

sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "initializer_range": 0.2}
ids = {"vocab_size": 99, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
prompt = torch.randint(3, 99, (1, 9), generator=torch.manual_seed(0))


def build(alibi):
    torch.manual_seed(0)
    return FalconForCausalLM(FalconConfig(**sizes, **ids, alibi=alibi)).eval()


def difference(model, num_pads, cache):
    settings = {"max_new_tokens": 6, "min_new_tokens": 6, "return_dict_in_generate": True}
    settings |= {"output_logits": True, "do_sample": False}
    settings |= {"attention_mask": torch.tensor([[0] * num_pads + [1] * 9])}
    padded = torch.cat([torch.zeros(1, num_pads, dtype=int), prompt], 1)
    uncached = model.generate(padded, use_cache=False, **settings).logits
    try:
        cached = model.generate(padded, cache_implementation=cache, **settings).logits
    except (RuntimeError, ValueError) as error:
        print(error, file=sys.stderr)
        return math.inf
    return (torch.cat(cached) - torch.cat(uncached)).abs().max()


rotary, alibi = build(alibi=False), build(alibi=True)
with torch.no_grad():
    cache, mask = StaticCache(config=alibi.config, max_cache_len=16), torch.tensor([[1] * 9 + [0] * 7])
    wide = alibi(prompt, attention_mask=mask, past_key_values=cache).logits
    wide = (wide - alibi(prompt, use_cache=False).logits).abs().max()
print(f"right: rotary positions, 3 pads, a static cache {difference(rotary, 3, 'static'):.2g}")
print(f"right: ALiBi, 3 pads, the default cache {difference(alibi, 3, None):.2g}")
print(f"right: ALiBi, forward() with a static cache and a mask as wide {wide:.2g}")
print(f"wrong: ALiBi, no pads, a static cache {difference(alibi, 0, 'static'):.2g}")
print(f"wrong: ALiBi, 3 pads, a static cache {difference(alibi, 3, 'static'):.2g}")
