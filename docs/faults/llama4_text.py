"""Llama 4, left-padded, with attention_mask and position_ids, must give the logits of the prompt alone.

In layers without rotary positions, Llama4TextAttention.forward (models/llama4/modeling_llama4.py) scales
queries by log1p(floor((position + 1) / floor_scale)). It takes positions from torch.arange and the length of the
cache, not from position_ids, so it counts pads. The fault shows if pads move a token across a multiple of
floor_scale. Chunks of attention_chunk_size are counted without pads, as they should be.
"""

import torch
from transformers import Llama4ForCausalLM, Llama4TextConfig

sizes = {"hidden_size": 32, "intermediate_size": 64, "intermediate_size_mlp": 64, "head_dim": 8}
heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "num_local_experts": 2}
layers = {"num_hidden_layers": 2, "no_rope_layers": [1, 0], "attention_chunk_size": 8, "floor_scale": 8}
prompt = torch.randint(3, 99, (1, 10), generator=torch.manual_seed(0))


def difference(num_pads, **kwargs):
    torch.manual_seed(0)
    config = Llama4TextConfig(**sizes, **heads, **layers, vocab_size=99, initializer_range=0.2, **kwargs)
    model = Llama4ForCausalLM(config).eval()
    mask = torch.cat([torch.zeros(1, num_pads, dtype=int), torch.ones_like(prompt)], 1)
    padded = torch.cat([torch.zeros(1, num_pads, dtype=int), prompt], 1)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        alone = model(prompt, attention_mask=torch.ones_like(prompt)).logits[:, -1]
        return (alone - model(padded, attention_mask=mask, position_ids=positions).logits[:, -1]).abs().max()


print(f"right: 5 pads (10 + 5 is below 2 * floor_scale) {difference(5):.2g}")
print(f"right: 20 pads, attn_temperature_tuning=False {difference(20, attn_temperature_tuning=False):.2g}")
print(f"wrong: 20 pads {difference(20):.2g}")
