"""RoBERTa as a decoder, without padding: generate() must start from forward()'s logits at the last token.

It does not. RobertaEmbeddings (models/roberta/modeling_roberta.py) counts positions from padding_idx + 1, as the
checkpoints were trained. GenerationMixin._prepare_position_ids_for_generation (generation/utils.py) counts from 0
and passes that as position_ids. The same is true of Camembert, Data2VecText, XLM-RoBERTa, XLM-RoBERTa-XL,
RoBERTa-PreLayerNorm and X-MOD.
"""

import torch
from transformers import RobertaConfig, RobertaForCausalLM

torch.manual_seed(0)
sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
config = RobertaConfig(**sizes, vocab_size=99, is_decoder=True, initializer_range=0.2)
model = RobertaForCausalLM(config).eval()
prompt = torch.randint(3, 99, (1, 7))
positions = torch.arange(7)[None] + config.pad_token_id + 1

with torch.no_grad():
    expected = model(prompt).logits[:, -1]
    given = model(prompt, position_ids=positions).logits[:, -1]


def generate(**kwargs):
    settings = {"max_new_tokens": 1, "output_logits": True, "return_dict_in_generate": True}
    return model.generate(prompt, attention_mask=torch.ones_like(prompt), **settings, **kwargs).logits[0]


print(f"right: forward() with position_ids from padding_idx + 1 {(expected - given).abs().max():.2g}")
given = generate(position_ids=positions)
print(f"right: generate() with those position_ids {(expected - given).abs().max():.2g}")
print(f"wrong: generate() {(expected - generate()).abs().max():.2g}")
