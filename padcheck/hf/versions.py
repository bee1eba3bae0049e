"""What differs between the supported versions of transformers (4.48 to 5), in one place."""

import transformers

_VERSION = tuple(int(part) for part in transformers.__version__.split(".")[:2])

DTYPE_ARGUMENT = "dtype" if _VERSION >= (4, 56) else "torch_dtype"
"""The argument of from_pretrained() that names the dtype of the weights."""
