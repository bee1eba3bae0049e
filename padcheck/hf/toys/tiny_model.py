"""Builds the model of any config at toy size, with random weights under which a padding fault shows."""

import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from padcheck.hf.library.auto_classes import auto_class
from padcheck.hf.library.versions import DTYPE_ARGUMENT
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

    The weights depend on `seed` alone: another dtype rounds the same numbers. The global random state is left alone.

    Raises:
        Exception: Whatever transformers raises where the architecture cannot be built.
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
        _enliven(model)
        if dtype != torch.float32:
            # Not model.to(dtype): that would round rotary frequencies too, which a loaded checkpoint keeps in float32.
            weights = model.state_dict()
            model = build(dtype)
            model.load_state_dict(weights)
    return model.eval()


@torch.no_grad()
def _enliven(model: PreTrainedModel) -> None:
    """Redraws the matrices so that every part of the model matters.

    An initialiser's 0.02 is made for full width and for training. At toy size attention would be all but uniform, the
    layers next to nothing beside the embedding and the logits flat, so that a fault would drown in rounding. Here
    activations keep a scale of about 1, and logits get a standard deviation of about 2 over the vocabulary.

    What is no matrix drawn around zero stays as the architecture starts it: norms, the decay and step size of state
    spaces, fixed position tables. What starts as nothing but zeros does not: biases hide what they would let through,
    and scores that are all equal leave a choice of the largest to chance. A padding row of an embedding is drawn like
    the others: a checkpoint may hold anything there, and a row of zeros would hide a leak.
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
            std = min(weight.shape[-2:]) ** -0.5  # whichever way round the architecture stores it
        weight.normal_(std=std)
