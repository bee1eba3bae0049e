"""Inkling with log_scaling_n_floor, left-padded, with attention_mask: must give the logits of the prompt alone.

In layers with full attention, InklingAttention.forward (models/inkling/modeling_inkling.py, line 257) scales queries
by the logarithm of (position + 1) / log_scaling_n_floor. It takes positions from torch.arange and the length of the
cache (line 251), so it counts pads, and position_ids do not help. Below the floor the scale is 1. The fix is to pass
position_ids to the layers (line 731) and to scale by position_ids + 1, as modeling_inkling2.py does in line 591.
"""

import torch
from transformers import InklingForCausalLM, InklingTextConfig

sizes = {"hidden_size": 32, "intermediate_size": 64, "moe_intermediate_size": 32, "num_hidden_layers": 2}
sizes |= {"vocab_size": 99, "unpadded_vocab_size": 99, "initializer_range": 0.2, "logits_mup_width_multiplier": 1.0}
heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 8, "d_rel": 4, "rel_extent": 16}
heads |= {f"swa_{key}": heads[key] for key in ("num_attention_heads", "num_key_value_heads", "head_dim")}
experts = {"n_routed_experts": 4, "n_shared_experts": 1, "num_experts_per_tok": 2}
layers = {"layer_types": ["hybrid_sliding", "hybrid"], "sliding_window_size": 8, "log_scaling_alpha": 1.0}
prompt = torch.randint(3, 99, (1, 12), generator=torch.manual_seed(0))


def differences(num_pads, floor):
    torch.manual_seed(0)
    config = InklingTextConfig(**sizes, **heads, **experts, **layers, log_scaling_n_floor=floor, pad_token_id=0)
    model = InklingForCausalLM(config).eval()
    padded = torch.cat([torch.zeros(1, num_pads, dtype=int), prompt], 1)
    mask, ones = torch.tensor([[0] * num_pads + [1] * 12]), torch.ones_like(prompt)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        alone = model(prompt, attention_mask=ones).logits[:, -1]
        left = model(padded, attention_mask=mask, position_ids=positions).logits[:, -1]
    settings = {"max_new_tokens": 1, "output_logits": True, "return_dict_in_generate": True, "do_sample": False}
    generated = model.generate(padded, attention_mask=mask, **settings).logits[0]
    return (alone - left).abs().max(), (alone - generated).abs().max()


for kind, floor, num_pads in (("right", None, 20), ("right", 64, 20), ("wrong", 8, 20)):
    forward, generate = differences(num_pads, floor)
    print(f"{kind}: {num_pads} pads, log_scaling_n_floor={floor}, forward() with position_ids {forward:.2g}")
    print(f"{kind}: {num_pads} pads, log_scaling_n_floor={floor}, generate() {generate:.2g}")
