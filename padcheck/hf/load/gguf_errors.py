"""What goes wrong with a GGUF file, which holds config, tokenizer and weights in one: a message for each."""

from padcheck.hf.load.error_case import Case

_NO_GGUF = Case(
    (),
    ("GGUF magic",),
    "{file} of {source} is not a GGUF file: it does not begin with the letters GGUF.",
    "It is a Git LFS pointer, the page of a download that failed, or a file of another format.",
    "Download it again, or name another file.",
)
_UNKNOWN_ARCHITECTURE = Case(
    (),
    (r"architecture \S+ is not supported yet", "Unknown gguf model_type"),
    "transformers cannot convert the architecture of {file}: {error}",
    "It turns a fixed list of GGUF architectures into its own models; this version does not have that one.",
    "Upgrade transformers and gguf, or give the original model, whose weights are in safetensors.",
)
_PACKAGE = Case(
    (ImportError,),
    (),
    "{file} of {source} needs a package that is not installed, or is too old: {error}",
    "transformers reads GGUF files with the package gguf.",
    "pip install -U 'padcheck[gguf]'",
)
_NO_TOKENIZER = Case(
    (BaseException,),
    (),
    "{file} of {source} has no tokenizer that transformers can build: {kind}: {error}",
    "The keys tokenizer.ggml.* are missing or incomplete, or describe a kind that this transformers does not know.",
    "Name the original model's tokenizer with --tokenizer, or upgrade transformers.",
)
_UNREADABLE = Case(
    (BaseException,),
    (),
    "The {part} of {source} cannot be read from {file}: {kind}: {error}",
    "The file is cut off or damaged, or newer than the installed transformers and gguf.",
    "Compare its size with the original's and download it again; else upgrade transformers and gguf.",
)

GGUF_CASES: dict[str, tuple[Case, ...]] = {
    "config": (_NO_GGUF, _UNKNOWN_ARCHITECTURE, _PACKAGE, _UNREADABLE),
    "tokenizer": (_PACKAGE, _NO_TOKENIZER),
    "generation_config": (_UNREADABLE,),
    "adapter": (_UNREADABLE,),
    "model": (_UNKNOWN_ARCHITECTURE, _PACKAGE, _UNREADABLE),
}
"""By the part of the model that is loaded."""

INCOMPLETE_GGUF = (
    "The file is one of several parts of a model, or was made for another version of its architecture",
    "Join the parts with `llama-gguf-split --merge` and give the result, or convert the model again.",
)
"""Why a GGUF file lacks weights, and what to change."""
