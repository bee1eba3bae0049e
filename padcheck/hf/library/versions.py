"""What differs between the supported versions of transformers (4.48 to 5), in one place."""

import transformers

_VERSION = tuple(int(part) for part in transformers.__version__.split(".")[:2])

DTYPE_ARGUMENT = "dtype" if _VERSION >= (4, 56) else "torch_dtype"
"""The argument of from_pretrained() that names the dtype of the weights."""

READS_GENERATION_CONFIG_BESIDE_GGUF = _VERSION < (5, 0)
"""True where from_pretrained() reads a generation_config.json although the weights come from a GGUF file."""
