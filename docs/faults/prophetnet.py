"""ProphetNet's decoder, without padding, must be causal, and give the same logits with and without the cache.

ProphetNetNgramSelfAttention.get_predict_relative_pos_embeddings (models/prophetnet/modeling_prophetnet.py, line 805)
orders embeddings by (batch, position, stream, head), but reads them in line 823 as (batch, stream, head, position).
So queries get the embeddings of other positions and heads, unless the sequence has only one token. The fix is
permute(0, 1, 4, 2, 3) in place of permute(0, 2, 1, 4, 3) in line 805. Then every number below is near 0.
"""

import torch
from transformers import ProphetNetConfig, ProphetNetForCausalLM

torch.manual_seed(0)
sizes = {"hidden_size": 32, "decoder_ffn_dim": 64, "num_decoder_layers": 2, "num_decoder_attention_heads": 4}
config = ProphetNetConfig(**sizes, vocab_size=99, init_std=0.2, add_cross_attention=False)
model = ProphetNetForCausalLM(config).eval()
prompt = torch.randint(3, 99, (1, 9))


def difference(one, other):
    return (one - other).abs().max()


with torch.no_grad():
    whole = model(prompt, output_hidden_states=True)
    start = model(prompt[:, :8], output_hidden_states=True, use_cache=True)
    last = model(prompt[:, 8:], output_hidden_states=True, past_key_values=start.past_key_values)
for verdict, what in (("right", "main stream"), ("wrong", "logits")):  # logits do not depend on the main stream
    states = [out.logits if what == "logits" else out.hidden_states[-1] for out in (whole, start, last)]
    followed = difference(states[0][:, 7], states[1][:, 7])
    cached = difference(states[0][:, 8], states[2][:, 0])
    print(f"{verdict}: {what} of token 8, with token 9 and without {followed:.2g}")
    print(f"{verdict}: {what} of token 9, with a cache and without {cached:.2g}")
