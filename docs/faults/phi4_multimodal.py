"""Phi-4-multimodal with LongRoPE, one prompt, no padding: same logits with the cache as without.

Beyond config.original_max_position_embeddings (here 32) the rotary embedding uses other factors, so
Phi4MultimodalForCausalLM.prepare_inputs_for_generation (models/phi4_multimodal/modeling_phi4_multimodal.py,
line 1701) drops the cache to have all keys computed again. It does not set kwargs["next_sequence_length"] to
None, as Phi3ForCausalLM does (models/phi3/modeling_phi3.py, line 510). So the inputs are still cut to the newest
token, which is then read without any context, and the new cache starts with it. The fix is that one line.
"""

import torch
from transformers import Phi4MultimodalConfig, Phi4MultimodalForCausalLM

torch.manual_seed(0)
sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 4}
sizes |= {"intermediate_size": 64, "vocab_size": 99, "initializer_range": 0.2}
ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
limits = {"original_max_position_embeddings": 32, "max_position_embeddings": 128}
rope = {"rope_type": "longrope", "rope_theta": 1e4, "factor": 4.0}
rope |= {"short_factor": [1.0] * 4, "long_factor": [2.0, 3.0, 5.0, 8.0]}
vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
vision |= {"image_size": 28, "crop_size": 28, "image_token_id": 97}
audio = {"hidden_size": 32, "intermediate_size": 64, "num_blocks": 2, "num_attention_heads": 4}
audio |= {"ext_pw_out_channel": 32, "nemo_conv_channels": 8, "audio_token_id": 98}
parts = {"vision_config": vision, "audio_config": audio}
config = Phi4MultimodalConfig(**sizes, **ids, **limits, **parts, rope_parameters=rope)
model = Phi4MultimodalForCausalLM(config).eval()
prompt = torch.randint(3, 97, (1, 28))


def generate(use_cache):
    settings = {"max_new_tokens": 6, "min_new_tokens": 6, "return_dict_in_generate": True}
    settings |= {"output_logits": True, "do_sample": False, "use_cache": use_cache}
    return torch.cat(model.generate(prompt, attention_mask=torch.ones_like(prompt), **settings).logits)


difference = (generate(use_cache=True) - generate(use_cache=False)).abs().amax(-1)
print(f"right: 28 tokens, the first 5 new tokens, with a cache and without {difference[:5].max():.2g}")
print(f"wrong: 28 tokens, the 6th new token, with a cache and without {difference[5]:.2g}")
