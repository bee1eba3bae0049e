"""XLNet, left-padded generate() with attention_mask, must give the logits of the prompt alone.

forward() gives them if it gets attention_mask in addition to what generate() passes.
XLNetLMHeadModel.prepare_inputs_for_generation (models/xlnet/modeling_xlnet.py) drops attention_mask, with the
comment that forward() computes it on the fly. XLNetModel.forward never does, so it attends to pads.
"""

import torch
from transformers import XLNetConfig, XLNetLMHeadModel

torch.manual_seed(0)
config = XLNetConfig(vocab_size=99, d_model=32, n_layer=2, n_head=4, d_inner=64, initializer_range=0.2)
model = XLNetLMHeadModel(config).eval()
prompt, mask = torch.randint(6, 99, (1, 7)), torch.tensor([[0] * 3 + [1] * 7])
padded = torch.cat([torch.full((1, 3), 5), prompt], 1)  # 5 is pad_token_id


def generate(ids, mask):
    settings = {"max_new_tokens": 1, "output_logits": True, "return_dict_in_generate": True}
    return model.generate(ids, attention_mask=mask, **settings).logits[0]


@torch.no_grad()
def forward(ids, mask):
    inputs = model.prepare_inputs_for_generation(ids)
    mask = torch.cat([mask, torch.ones(1, 1)], 1)  # of the dummy token at the end
    return model(**inputs, attention_mask=mask).logits[:, -1]


ones = torch.ones_like(prompt)
alone = generate(prompt, ones)
print(f"right: generate() and forward(), no pads {(alone - forward(prompt, ones)).abs().max():.2g}")
print(f"right: forward(), left-padded {(alone - forward(padded, mask)).abs().max():.2g}")
print(f"wrong: generate(), left-padded {(alone - generate(padded, mask)).abs().max():.2g}")
