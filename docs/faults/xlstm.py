"""xLSTM has no attention_mask: pads enter its recurrent state like any other token, by design.

xLSTMForCausalLM.forward and xLSTMModel.forward (models/xlstm/modeling_xlstm.py) have no such argument, so the mask
disappears in **kwargs. Left-padded logits are not those of the prompt alone. A warning would help callers, or an error.
"""

import sys

sys.path.pop(0)  # otherwise `import xlstm` would import this file
import torch
from torch import nn
from transformers import xLSTMConfig, xLSTMForCausalLM

torch.manual_seed(0)
config = xLSTMConfig(vocab_size=99, hidden_size=128, num_hidden_layers=2, num_heads=4)
model = xLSTMForCausalLM(config).eval()
for weight in model.parameters():
    if weight.ndim > 1:
        nn.init.normal_(weight, std=min(weight.shape) ** -0.5)

prompt, pads = torch.randint(3, 99, (1, 9)), torch.full((1, 4), config.pad_token_id)
padded, mask = torch.cat([pads, prompt], 1), torch.tensor([[0] * 4 + [1] * 9])
with torch.no_grad():
    alone = model(prompt).logits[:, -1]
    twice = model(prompt.repeat(2, 1)).logits[:, -1]
    masked = model(padded, attention_mask=mask).logits[:, -1]
    right = model(torch.cat([prompt, pads], 1)).logits[:, 8]
settings = {"max_new_tokens": 1, "output_logits": True, "return_dict_in_generate": True}
generated = model.generate(padded, attention_mask=mask, **settings).logits[0]
print(f"right: two rows without pads {(alone - twice).abs().max():.2g}")
print(f"right: forward(), padded on the right, at the last real token {(alone - right).abs().max():.2g}")
print(f"wrong: forward(), padded on the left {(alone - masked).abs().max():.2g}")
print(f"wrong: generate(), padded on the left {(alone - generated).abs().max():.2g}")
