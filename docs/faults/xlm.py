"""XLM, left-padded: not built for it, which is its design and not a fault.

XLM is an encoder that may also generate. With attention_mask it does not give the logits of the prompt alone, for two
reasons in models/xlm/modeling_xlm.py. XLMWithLMHeadModel.prepare_inputs_for_generation drops attention_mask. forward()
then counts the ids that are not pads, and uses the count as a length from the left, which masks the last tokens. And
with config.causal=True, get_masks() ignores the padding, so forward() attends to pads even if attention_mask is passed.
To support left padding, both would have to use attention_mask.
"""

import torch
from transformers import XLMConfig, XLMWithLMHeadModel

torch.manual_seed(0)
sizes = {"vocab_size": 99, "emb_dim": 32, "n_layers": 2, "n_heads": 4, "n_langs": 1}
prompt, mask = torch.randint(6, 99, (1, 7)), torch.tensor([[0] * 3 + [1] * 7])
padded = torch.cat([torch.full((1, 3), 2), prompt], 1)  # 2 is pad_index
positions = (mask.cumsum(-1) - 1).clamp(min=0)


def first_logits(model, ids, mask):
    settings = {"max_new_tokens": 1, "output_logits": True, "return_dict_in_generate": True}
    return model.generate(ids, attention_mask=mask, **settings).logits[0]


for causal in (False, True):
    config = XLMConfig(**sizes, embed_init_std=0.2, init_std=0.2, causal=causal)
    model = XLMWithLMHeadModel(config).eval()
    with torch.no_grad():
        alone = model(prompt, attention_mask=torch.ones_like(prompt)).logits[:, -1]
        left = model(padded, attention_mask=mask, position_ids=positions).logits[:, -1]
    difference = (alone - left).abs().max()
    print(f"{'wrong' if causal else 'right'}: forward(), causal={causal} {difference:.2g}")
    difference = first_logits(model, prompt, torch.ones_like(prompt)) - first_logits(model, padded, mask)
    print(f"wrong: generate(), causal={causal} {difference.abs().max():.2g}")
