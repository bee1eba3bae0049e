"""MiniMax whose first layer is linear attention, left-padded: must get the logits of the prompt alone.

MiniMax-Text-01 has seven linear layers before each full one. The first new token is right, later ones are wrong.
A linear layer keeps its state in MiniMaxCache.linear_cache (models/minimax/modeling_minimax.py, line 81), and its
entry in cache.layers stays an empty DynamicLayer. find_first_full_attention_index (masking_utils.py, line 896)
takes that entry for full attention, so line 855 gets a length of 0. The decode mask is then one column wide: the
first column of attention_mask, which is a pad. The fix is to skip empty entries in that search, or to give
MiniMaxCache linear layers as other hybrid models have. Without pads no mask is built, and the logits are right.
"""

import torch
from transformers import MiniMaxConfig, MiniMaxForCausalLM

sizes = {"hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64}
sizes |= {"num_hidden_layers": 4, "num_local_experts": 2, "vocab_size": 99, "initializer_range": 0.2}
prompt = torch.randint(3, 99, (1, 9), generator=torch.manual_seed(0))


def difference(layer_types, num_pads, step, **kwargs):
    torch.manual_seed(0)
    model = MiniMaxForCausalLM(MiniMaxConfig(**sizes, layer_types=layer_types)).eval()
    settings = {"max_new_tokens": 3, "min_new_tokens": 3, "return_dict_in_generate": True}
    settings |= {"output_logits": True, "do_sample": False, **kwargs}
    alone = model.generate(prompt, attention_mask=torch.ones_like(prompt), **settings).logits[step]
    mask = torch.tensor([[0] * num_pads + [1] * 9])
    padded = torch.cat([torch.zeros(1, num_pads, dtype=int), prompt], 1)
    return (alone - model.generate(padded, attention_mask=mask, **settings).logits[step]).abs().max()


full_first = ["full_attention", "linear_attention"] * 2
linear_first = ["linear_attention"] * 3 + ["full_attention"]
print(f"right: full attention first (the default), second new token, 5 pads {difference(full_first, 5, 1):.2g}")
print(f"right: linear attention first, first new token, 5 pads {difference(linear_first, 5, 0):.2g}")
uncached = difference(linear_first, 5, 1, use_cache=False)
print(f"right: linear attention first, second new token, 5 pads, use_cache=False {uncached:.2g}")
print(f"wrong: linear attention first, second new token, 1 pad {difference(linear_first, 1, 1):.2g}")
print(f"wrong: linear attention first, second new token, 5 pads {difference(linear_first, 5, 1):.2g}")
