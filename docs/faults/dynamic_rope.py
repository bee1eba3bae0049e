"""Llama with dynamic NTK rotary positions: a prompt must get the same logits next to a longer one, and after it.

dynamic_frequency_update (modeling_rope_utils.py, line 89) computes the frequencies from the longest row of the
batch as soon as that passes config.max_position_embeddings (here 16). They hold for all rows: a long row changes
the short ones. The fix is to compute them for each row from that row's largest position.

The frequencies also stay in the module. Line 101 computes them only if the sequence is longer than any before,
and line 113 resets them only below max_position_embeddings. So the logits of a prompt depend on the prompts before
it. The fix is to compute them for every sequence beyond the limit. All models with rope_type "dynamic" share this
code.
"""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
rope = {"rope_type": "dynamic", "rope_theta": 1e4, "factor": 4.0}
config = LlamaConfig(**sizes, vocab_size=99, max_position_embeddings=16, rope_parameters=rope, initializer_range=0.2)
prompts = torch.randint(3, 99, (2, 40), generator=torch.manual_seed(0))


@torch.no_grad()
def logits(model, *lengths):
    mask = torch.stack([torch.arange(max(lengths)) < length for length in lengths]).long()
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    rows = prompts[: len(lengths), : max(lengths)] * mask
    return model(rows, attention_mask=mask, position_ids=positions).logits[0, : lengths[0]]


def build():
    torch.manual_seed(0)
    return LlamaForCausalLM(config).eval()


def difference(length, other):
    return (logits(build(), length) - logits(build(), length, other)).abs().max()


def difference_later(length, other):
    model = build()
    before, _ = logits(model, length), logits(model, other)
    return (before - logits(model, length)).abs().max()


print(f"right: 12 tokens, with a row of 14 {difference(12, 14):.2g}")
print(f"right: 12 tokens, before and after a prompt of 40 {difference_later(12, 40):.2g}")
print(f"right: 20 tokens, before and after a prompt of 18 {difference_later(20, 18):.2g}")
print(f"wrong: 12 tokens, with a row of 40 {difference(12, 40):.2g}")
print(f"wrong: 20 tokens, with a row of 40 {difference(20, 40):.2g}")
print(f"wrong: 20 tokens, before and after a prompt of 40 {difference_later(20, 40):.2g}")
