"""RWKV, with prompts of equal length in one batch, must give each row the logits of the prompt alone.

It does not from the second new token on. With a state and a single token, RwkvSelfAttention.extract_key_value
and RwkvFeedForward.forward (models/rwkv/modeling_rwkv.py) mix `hidden` of shape (batch, 1, hidden) with
`shifted` of shape (batch, hidden). This broadcasts to (batch, batch, hidden), so the rows of the batch become time
steps.
"""

import torch
from torch import nn
from transformers import RwkvConfig, RwkvForCausalLM

torch.manual_seed(0)
sizes = {"hidden_size": 32, "num_hidden_layers": 2, "intermediate_size": 64, "context_length": 64}
config = RwkvConfig(**sizes, vocab_size=99, pad_token_id=1)
model = RwkvForCausalLM(config).eval()
for weight in model.parameters():
    if weight.ndim == 2:
        nn.init.normal_(weight, std=min(weight.shape) ** -0.5)
prompts = torch.randint(3, 99, (3, 7))


def difference(step, **kwargs):
    settings = {"max_new_tokens": 3, "min_new_tokens": 3, "return_dict_in_generate": True}
    settings |= {"output_logits": True, "do_sample": False, **kwargs}
    batch = model.generate(prompts, attention_mask=torch.ones_like(prompts), **settings).logits[step]
    rows = [model.generate(row, attention_mask=torch.ones_like(row), **settings) for row in prompts.split(1)]
    alone = torch.cat([row.logits[step] for row in rows])
    return (batch - alone).abs().max()


print(f"right: first new token {difference(0):.2g}")
print(f"right: second new token, use_cache=False {difference(1, use_cache=False):.2g}")
print(f"wrong: second new token {difference(1):.2g}")
