"""Zamba2, with one prompt, must generate the same logits with and without the cache.

It does not if the step size dt falls below config.time_step_min (0.001 by default).
Zamba2MambaMixer.forward (models/zamba2/modeling_zamba2.py) passes dt_limit=(time_step_min, inf) to
mamba2_chunk_scan, which clamps dt. mamba2_selective_state_update, which decodes token by token, does not clamp it.
"""

import torch
from transformers import Zamba2Config, Zamba2ForCausalLM

torch.manual_seed(0)
sizes = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4, "vocab_size": 99}
mamba = {"mamba_d_state": 16, "chunk_size": 16, "adapter_rank": 8, "initializer_range": 0.2}
layers = {"layers_block_type": ["linear_attention", "hybrid"] * 2, "num_hidden_layers": 4}
prompt = torch.randint(3, 99, (1, 20))


def build(time_step_min):
    return Zamba2ForCausalLM(Zamba2Config(**sizes, **mamba, **layers, time_step_min=time_step_min)).eval()


def difference(model):
    settings = {"max_new_tokens": 6, "min_new_tokens": 6, "return_dict_in_generate": True}
    settings |= {"output_logits": True, "do_sample": False, "attention_mask": torch.ones_like(prompt)}
    cached, uncached = (model.generate(prompt, use_cache=use, **settings).logits for use in (True, False))
    return (torch.cat(cached) - torch.cat(uncached)).abs().max()


model, unlimited = build(time_step_min=0.001), build(time_step_min=1e-12)
unlimited.load_state_dict(model.state_dict())
print(f"right: the same weights with time_step_min=1e-12 {difference(unlimited):.2g}")
print(f"wrong: time_step_min=0.001, the default {difference(model):.2g}")
