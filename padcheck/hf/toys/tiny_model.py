"""Builds the model of any config at toy size, with random weights that make a padding fault visible."""

import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from padcheck.hf.library.auto_classes import auto_class
from padcheck.hf.library.versions import DTYPE_ARGUMENT
from padcheck.hf.toys.in_float64 import calculate_in_float64
from padcheck.hf.toys.tiny_config import shrink_config

_LOGITS_STD = 2.0
_STD_OF_ZEROS = 0.1


def build_tiny_model(
    config: PretrainedConfig,
    *,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    attn_implementation: str | None = None,
    trust_remote_code: bool = False,
) -> PreTrainedModel:
    """Builds the causal language model of `config` at toy size, in eval mode on the CPU.

    The weights depend only on `config` and `seed`: another dtype rounds the same numbers. In float64 the model also
    calculates in float64 what it usually casts to float32. The global random state does not change.

    Args:
        config: The config of the original; it is not changed.
        seed: The seed of the random weights.
        dtype: The dtype of the weights.
        attn_implementation: The attention implementation; None for transformers' default.
        trust_remote_code: Whether code that comes with the model may run.

    Raises:
        Exception: Whatever transformers raises if the architecture cannot be built.
    """
    toy_config = shrink_config(config)

    def build(dtype: torch.dtype) -> PreTrainedModel:
        model: PreTrainedModel = auto_class(config).from_config(
            toy_config,
            attn_implementation=attn_implementation,
            trust_remote_code=trust_remote_code,
            **{DTYPE_ARGUMENT: dtype},
        )
        return model

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model = build(torch.float32)
        _redraw_weights(model)
        if dtype != torch.float32:
            # model.to(dtype) would also round the rotary frequencies, which stay in float32 in a loaded checkpoint.
            weights = model.state_dict()
            model = build(dtype)
            model.load_state_dict(weights)
    return (calculate_in_float64(model) if dtype == torch.float64 else model).eval()


@torch.no_grad()
def _redraw_weights(model: PreTrainedModel) -> None:
    """Draws the weight matrices again, so that every part of the model affects the logits.

    The usual standard deviation of 0.02 suits full width and training. At toy size it makes attention nearly uniform,
    the layers negligible next to the embedding, and the logits flat: a fault would be smaller than rounding. Here
    activations keep a scale of about 1, and the logits have a standard deviation of about 2 over the vocabulary.

    Weights that are not matrices drawn around zero keep their initial values: norms, the decay and step size of state
    spaces, fixed position tables. Weights that are all zero are drawn: zero biases can hide a fault, and with equal
    scores the choice of the largest is random. The padding row of an embedding is drawn as well: a checkpoint may have
    any numbers there, and a row of zeros would hide a leak.
    """
    output = model.get_output_embeddings()
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    tables.add(id(getattr(output, "weight", None)))
    for name, weight in model.named_parameters():
        if weight.requires_grad and not weight.any():
            weight.normal_(std=_STD_OF_ZEROS)
            continue
        drawn_around_zero = weight.mean().abs() <= 0.2 * weight.std()
        if weight.ndim <= 1 or not weight.requires_grad or not drawn_around_zero:
            continue
        if id(weight) in tables:
            std = _LOGITS_STD * weight.shape[-1] ** -0.5
        elif "conv" in name:
            std = (weight.numel() / weight.shape[0]) ** -0.5
        else:
            std = min(weight.shape[-2:]) ** -0.5  # either axis may be the input, depending on the architecture
        weight.normal_(std=std)
