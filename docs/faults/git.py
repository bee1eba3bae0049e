"""GIT, text only, left-padded generate() must give the logits of the prompt alone.

The first new token has them, later ones do not. If a call has a filled cache and no pixel_values,
GitModel.forward (models/git/modeling_git.py) assumes that an image came before, and puts `image_patch_tokens`
ones in front of attention_mask. After a text-only prompt the cache has no image tokens. So the mask is shifted,
and new tokens attend to pads.
"""

import torch
from transformers import GitConfig, GitForCausalLM

torch.manual_seed(0)
sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
ids = {"pad_token_id": 98, "bos_token_id": 97, "eos_token_id": 96}
vision = {**sizes, "image_size": 32, "patch_size": 16}
config = GitConfig(**sizes, **ids, vision_config=vision, vocab_size=99, initializer_range=0.2)
model = GitForCausalLM(config).eval()
prompt, pads = torch.randint(0, 96, (1, 5)), torch.full((1, 3), 98)
image = torch.randn(1, 3, 32, 32)


def difference(step, **kwargs):
    settings = {"max_new_tokens": 3, "min_new_tokens": 3, "return_dict_in_generate": True}
    settings |= {"output_logits": True, "do_sample": False, **kwargs}
    alone = model.generate(prompt, attention_mask=torch.ones_like(prompt), **settings)
    mask = torch.tensor([[0] * 3 + [1] * 5])
    padded = model.generate(torch.cat([pads, prompt], 1), attention_mask=mask, **settings)
    return (alone.logits[step] - padded.logits[step]).abs().max()


print(f"right: first new token, text alone {difference(0):.2g}")
print(f"right: second new token, text alone, use_cache=False {difference(1, use_cache=False):.2g}")
print(f"right: second new token, with an image {difference(1, pixel_values=image):.2g}")
print(f"wrong: second new token, text alone {difference(1):.2g}")
