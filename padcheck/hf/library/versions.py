"""The installed versions, and what differs between the supported versions of transformers (4.48 to 5)."""

import platform
from importlib import import_module
from importlib.util import find_spec

import tokenizers
import torch
import transformers

from padcheck.core.facts import Environment
from padcheck.core.version import __version__

_VERSION = tuple(int(part) for part in transformers.__version__.split(".")[:2])

DTYPE_ARGUMENT = "dtype" if _VERSION >= (4, 56) else "torch_dtype"
"""The argument of from_pretrained() that sets the dtype of the weights."""

WITHOUT_INITIAL_VALUES = {} if _VERSION >= (5, 0) else {"_fast_init": False}
"""Arguments of from_pretrained(device_map="meta"): transformers 4 otherwise makes up missing weights, in memory."""
MASKS_PACKED_PROMPTS = find_spec("transformers.masking_utils") is not None and hasattr(
    import_module("transformers.masking_utils"), "find_packed_sequence_indices"
)
"""True if eager and sdpa attention can mask the prompts of a packed row. Flash attention needs no mask for that."""

READS_GENERATION_CONFIG_BESIDE_GGUF = _VERSION < (5, 0)
"""True if from_pretrained() reads generation_config.json even when the weights come from a GGUF file."""


def environment() -> Environment:
    """The versions of Python, padcheck and the libraries that it measures with."""
    return Environment(
        padcheck=__version__,
        python=platform.python_version(),
        torch=str(torch.__version__),
        transformers=transformers.__version__,
        tokenizers=tokenizers.__version__,
        platform=platform.platform(),
    )
