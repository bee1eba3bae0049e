"""Jamba, a prompt in two parts on one cache, no padding: same logits as the whole prompt at once.

A second turn of a chat, and a prefill in chunks, call forward() with several tokens and a filled cache.
JambaMambaMixer.forward (models/jamba/modeling_jamba.py, line 598) then runs mamba_selective_scan, which starts
from a state of zeros (line 411): the first part is forgotten in the Mamba layers. The convolution before it does
use the cache. One token at a time is right, since line 581 hands the state to mamba_selective_state_update. The
fix is to start the scan from recurrent_state if there is one, as Bamba and Mamba-2 do. Zamba, Mamba and
Falcon-Mamba have the same code.
"""

import torch
from transformers import DynamicCache, JambaConfig, JambaForCausalLM

torch.manual_seed(0)
sizes = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 2}
sizes |= {"intermediate_size": 64, "num_experts": 2, "vocab_size": 99, "initializer_range": 0.2}
layers = {"attn_layer_period": 2, "attn_layer_offset": 1, "mamba_d_state": 16}
config = JambaConfig(**sizes, **layers)
model = JambaForCausalLM(config).eval()
prompt = torch.randint(3, 99, (1, 20))


@torch.no_grad()
def difference(*lengths):
    cache, parts = DynamicCache(config=config), prompt.split(lengths, dim=1)
    logits = [model(part, past_key_values=cache).logits for part in parts]
    return (torch.cat(logits, 1) - model(prompt).logits).abs().max()


print(f"right: 20 tokens at once {difference(20):.2g}")
print(f"right: 12 tokens, then 8 times one {difference(12, *[1] * 8):.2g}")
print(f"wrong: 12 tokens, then 8 {difference(12, 8):.2g}")
