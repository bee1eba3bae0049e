"""BLT must run with its default config, and give the same logits with and without the cache, and padded and alone.

There are three faults. With a default config, generate() and forward() raise an AttributeError, shown here as a
difference of inf: DynamicCache(config=self.config) (models/blt/modeling_blt.py, line 1184) reads num_hidden_layers
(integrations/heterogeneity/configuration_utils.py, line 216), which only the parts of a BltConfig have. The fix is to
add it to BltConfig, as this script does below. While decoding, BltModel.forward passes only the newest byte to the
hashes, the patcher and global_transformer. global_transformer has no cache, so the patches of the prompt are
forgotten. And pads are hashed and patched like bytes, because patcher and global_transformer get no attention_mask.
"""

import torch
from transformers import BltConfig, BltForCausalLM

torch.manual_seed(0)
part = {"num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64, "initializer_range": 0.2}
part |= {"hidden_size": 32}
parts = {f"{name}_config": {**part} for name in ("patcher", "encoder", "decoder", "global")}
parts["decoder_config"] |= {"hidden_size_global": 32}
hashes = {"encoder_hash_byte_group_size": [3, 4], "encoder_hash_byte_group_vocab": 500}
ranges = {"patching_threshold": 5.0, "initializer_range": 0.2}
config = BltConfig(**parts, **hashes, **ranges, vocab_size=260, pad_token_id=0)
model = BltForCausalLM(config).eval()
prompt = torch.randint(4, 260, (1, 20))
mask = torch.cat([torch.zeros(1, 6, dtype=int), torch.ones_like(prompt)], 1)
pads, positions = torch.zeros(1, 6, dtype=int), (mask.cumsum(-1) - 1).clamp(min=0)
settings = {"max_new_tokens": 2, "min_new_tokens": 2, "return_dict_in_generate": True}
settings |= {"output_logits": True, "do_sample": False, "attention_mask": torch.ones_like(prompt)}

try:
    with torch.no_grad():
        model(prompt, use_cache=True)
except AttributeError:
    print("wrong: forward() with a cache, config.num_hidden_layers not set inf")
config.num_hidden_layers = 2

with torch.no_grad():
    alone = model(prompt, use_cache=True).logits[:, -1]
    right = model(torch.cat([prompt, pads], 1), attention_mask=mask.flip(1)).logits[:, 19]
    left = model(torch.cat([pads, prompt], 1), attention_mask=mask, position_ids=positions)
cached, uncached = (model.generate(prompt, use_cache=use, **settings).logits for use in (True, False))
print(f"right: first new token, with a cache and without {(cached[0] - uncached[0]).abs().max():.2g}")
print(f"right: forward(), padded on the right, at the last real token {(alone - right).abs().max():.2g}")
print(f"wrong: second new token, with a cache and without {(cached[1] - uncached[1]).abs().max():.2g}")
print(f"wrong: forward(), padded on the left {(alone - left.logits[:, -1]).abs().max():.2g}")
