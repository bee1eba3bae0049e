"""What goes wrong with a GGUF file, which holds config, tokenizer and weights: one message for each failure."""

from padcheck.hf.load.error_case import LoadErrorCase

_NOT_GGUF = LoadErrorCase(
    (),
    ("GGUF magic",),
    "{file} of {source} is not a GGUF file: it does not start with the letters GGUF.",
    "It is the web page of a failed download, or a file in another format.",
    "Download it again, or name another file.",
)
_UNKNOWN_ARCHITECTURE = LoadErrorCase(
    (),
    (r"architecture \S+ is not supported yet", "Unknown gguf model_type"),
    "transformers cannot convert the architecture of {file}: {error}",
    "It converts a fixed list of GGUF architectures, and the installed version does not have this one.",
    "Upgrade transformers and gguf, or give the original model, whose weights are in safetensors.",
)
_PACKAGE = LoadErrorCase(
    (ImportError,),
    (),
    "{file} of {source} needs a package that is not installed or too old: {error}",
    "transformers reads GGUF files with the package gguf.",
    "pip install -U 'padcheck[gguf]'",
)
_NO_TOKENIZER = LoadErrorCase(
    (BaseException,),
    (),
    "{file} of {source} has no tokenizer that transformers can build: {kind}: {error}",
    "The keys tokenizer.ggml.* are missing or incomplete, or describe a tokenizer that the installed transformers does "
    "not know.",
    "Name the original model's tokenizer with --tokenizer, or upgrade transformers.",
)
_UNREADABLE = LoadErrorCase(
    (BaseException,),
    (),
    "The {part} of {source} cannot be read from {file}: {kind}: {error}",
    "The file is cut off or damaged, or newer than the installed transformers and gguf.",
    "Compare its size with the original's and download it again, or upgrade transformers and gguf.",
)

GGUF_CASES: dict[str, tuple[LoadErrorCase, ...]] = {
    "config": (_NOT_GGUF, _UNKNOWN_ARCHITECTURE, _PACKAGE, _UNREADABLE),
    "tokenizer": (_PACKAGE, _NO_TOKENIZER),
    "encoding": (_NO_TOKENIZER,),
    "generation_config": (_UNREADABLE,),
    "adapter": (_UNREADABLE,),
    "model": (_UNKNOWN_ARCHITECTURE, _PACKAGE, _UNREADABLE),
}
"""The failures to look for, by the part of the model that is being loaded."""

INCOMPLETE_GGUF = (
    "The file is one part of a split model, or was made for another version of its architecture",
    "Join the parts with `llama-gguf-split --merge` and give the result, or convert the model again.",
)
"""Why a GGUF file lacks weights, and what to change."""
