"""Phi-3 with LongRoPE, left-padded: generate() must get the logits of the prompt alone.

Beyond config.original_max_position_embeddings (here 32) the rotary embedding uses other factors, so the cached
keys have to be computed again. Phi3ForCausalLM.prepare_inputs_for_generation (models/phi3/modeling_phi3.py,
line 505) does that when input_ids.shape[1] passes the limit, and that counts pads. longrope_frequency_update
(modeling_rope_utils.py, line 49) switches when position_ids pass the limit, and they do not count pads. One pad
is enough: the cache is rebuilt one step too early, with the short factors, and never again. The fix is to count
real tokens, with attention_mask, for the input and for the cache.

The rotary embedding also picks one set of factors for the whole batch (line 79), so one long row changes the
short ones. The fix is to pick the factors for each row. PhiMoE has the same code (models/phimoe/modeling_phimoe.py,
line 855), but it shows only if long_mscale and short_mscale differ: line 91 always takes the short factors.
"""

import torch
from transformers import Phi3Config, Phi3ForCausalLM

torch.manual_seed(0)
sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
limits = {"original_max_position_embeddings": 32, "max_position_embeddings": 128}
rope = {"rope_type": "longrope", "rope_theta": 1e4, "factor": 4.0}
rope |= {"short_factor": [1.0] * 4, "long_factor": [2.0, 3.0, 5.0, 8.0]}
ids = {"vocab_size": 99, "pad_token_id": 0, "eos_token_id": 2}
config = Phi3Config(**sizes, **limits, **ids, rope_parameters=rope, initializer_range=0.2)
model = Phi3ForCausalLM(config).eval()
prompt, long = torch.randint(3, 99, (1, 28)), torch.randint(3, 99, (1, 36))


def generate(num_pads, use_cache=True):
    mask = torch.tensor([[0] * num_pads + [1] * 28])
    settings = {"max_new_tokens": 12, "min_new_tokens": 12, "return_dict_in_generate": True}
    settings |= {"output_logits": True, "do_sample": False, "use_cache": use_cache}
    padded = torch.cat([torch.zeros(1, num_pads, dtype=int), prompt], 1)
    return torch.cat(model.generate(padded, attention_mask=mask, **settings).logits)


alone, uncached, padded = generate(0), generate(0, use_cache=False), generate(1)
print(f"right: no pads, all 12 new tokens, with a cache and without {(alone - uncached).abs().max():.2g}")
print(f"right: 1 pad, use_cache=False {(alone - generate(1, use_cache=False)).abs().max():.2g}")
print(f"right: 1 pad, the first 5 new tokens {(alone - padded)[:5].abs().max():.2g}")
print(f"wrong: 1 pad, the 6th new token {(alone - padded)[5].abs().max():.2g}")
with torch.no_grad():
    first, second = model(prompt).logits[0], model(long).logits[0]
    rows = torch.cat([torch.cat([prompt, torch.zeros(1, 8, dtype=int)], 1), long])
    mask = torch.tensor([[1] * 28 + [0] * 8, [1] * 36])
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    batch = model(rows, attention_mask=mask, position_ids=positions).logits
    right = model(rows[:1], attention_mask=mask[:1], position_ids=positions[:1]).logits
print(f"right: forward(), 28 tokens, padded on the right to 36 {(first - right[0, :28]).abs().max():.2g}")
print(f"right: forward(), 36 tokens with 28 {(second - batch[1]).abs().max():.2g}")
print(f"wrong: forward(), 28 tokens with 36 {(first - batch[0, :28]).abs().max():.2g}")
