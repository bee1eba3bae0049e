"""GPT-OSS, two prompts packed into one row: each must get the logits that it gets alone.

Training without padding passes no attention_mask, and position_ids that begin with 0 for each prompt. The functions of
masking_utils.py keep the prompts apart if they get these position_ids, but GptOssModel.forward
(models/gpt_oss/modeling_gpt_oss.py, line 460) does not pass them to create_causal_mask and
create_sliding_window_causal_mask. So with eager attention the second prompt attends to the first one. The fix is to add
position_ids to mask_kwargs, as Llama and most models do. The same fix makes packed rows right in afmoe, bert,
bert-generation, bloom, electra, ernie, falcon, mpt, opt, roc_bert and xglm.
"""

import torch
from transformers import GptOssConfig, GptOssForCausalLM, LlamaConfig, LlamaForCausalLM

sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "vocab_size": 99, "head_dim": 8}
sizes |= {"num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.2, "pad_token_id": 0}
experts = {"num_local_experts": 2, "num_experts_per_tok": 1, "sliding_window": 8}
first, second = torch.randint(3, 99, (2, 1, 9), generator=torch.manual_seed(0))
packed, positions = torch.cat([first, second], 1), torch.arange(9).repeat(2)[None]


def differences(model):
    with torch.no_grad():
        row = model(packed, position_ids=positions, use_cache=False).logits
        for end, prompt in ((8, first), (17, second)):
            yield (row[:, end] - model(prompt, use_cache=False).logits[:, -1]).abs().max()


for name, build in (
    ("Llama", lambda: LlamaForCausalLM(LlamaConfig(**sizes))),
    ("GPT-OSS", lambda: GptOssForCausalLM(GptOssConfig(**sizes, **experts))),
):
    torch.manual_seed(0)
    before, after = differences(build().eval())
    print(f"right: {name}, the first prompt of the row {before:.2g}")
    print(f"{'right' if name == 'Llama' else 'wrong'}: {name}, the second prompt of the row {after:.2g}")
