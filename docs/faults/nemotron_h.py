"""NemotronH, with one prompt, must generate the same logits with and without the cache.

It does not if the step size dt falls below config.time_step_min (0.001 by default).
NemotronHMamba2Mixer.forward (models/nemotron_h/modeling_nemotron_h.py) passes dt_limit=(time_step_min, inf) to
mamba2_chunk_scan, which clamps dt. mamba2_selective_state_update, which decodes token by token, does not clamp it.
config.time_step_limit is not read. Known upstream: pull request huggingface/transformers#48989 replaces time_step_min
by time_step_limit, which is (0, inf) in published checkpoints, so that nothing is clamped.
"""

import torch
from transformers import NemotronHConfig, NemotronHForCausalLM

torch.manual_seed(0)
sizes = {"hidden_size": 32, "intermediate_size": 64, "vocab_size": 99, "initializer_range": 0.2}
attention = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8}
mamba = {"mamba_num_heads": 8, "mamba_head_dim": 8, "ssm_state_size": 16, "n_groups": 2, "chunk_size": 16}
layers = ["linear_attention", "full_attention", "linear_attention", "mlp"]
prompt = torch.randint(3, 99, (1, 20))


def build(time_step_min):
    parts = {**sizes, **attention, **mamba, "layers_block_type": layers}
    config = NemotronHConfig(**parts, time_step_min=time_step_min)
    return NemotronHForCausalLM(config).eval()


def difference(model):
    settings = {"max_new_tokens": 6, "min_new_tokens": 6, "return_dict_in_generate": True}
    settings |= {"output_logits": True, "do_sample": False, "attention_mask": torch.ones_like(prompt)}
    cached, uncached = (model.generate(prompt, use_cache=use, **settings).logits for use in (True, False))
    return (torch.cat(cached) - torch.cat(uncached)).abs().max()


model, unlimited = build(time_step_min=0.001), build(time_step_min=1e-12)
unlimited.load_state_dict(model.state_dict())
print(f"right: the same weights with time_step_min=1e-12 {difference(unlimited):.2g}")
print(f"wrong: time_step_min=0.001, the default {difference(model):.2g}")
