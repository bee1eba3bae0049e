"""Finds Git LFS pointers: small text files that Git leaves in place of large files if it clones without LFS."""

from pathlib import Path

from padcheck.core.errors import NotMeasuredError

_FIRST_LINE = b"version https://git-lfs.github.com/spec/"
_WEIGHTS = (".safetensors", ".bin", ".index.json", ".gguf")
_CONFIGS = {"config": "config.json", "generation_config": "generation_config.json", "adapter": "adapter_config.json"}


def pointer_error(folder: str, part: str, gguf_file: str | None = None) -> NotMeasuredError | None:
    """The error to raise if a file of this part of the model is a pointer; None if none is, or it is not a folder.

    Args:
        folder: The model's folder, or its id on the hub.
        part: "config", "tokenizer", "generation_config", "adapter" or "model" (the weights).
        gguf_file: The GGUF file that holds all parts; None for an ordinary model.
    """
    pointers = [path.name for path in _files(folder, part, gguf_file) if _is_pointer(path)]
    if not pointers:
        return None
    return NotMeasuredError(
        f"{pointers[0]} of {folder} is a Git LFS pointer, not the file itself.",
        meaning="The repository was cloned without Git LFS, so the file only says where its content is.",
        change="Run `git lfs pull` in the folder, or download the file.",
    )


def _files(folder: str, part: str, gguf_file: str | None) -> list[Path]:
    files = sorted(path for path in Path(folder).glob("*") if path.is_file())
    if gguf_file is not None:
        return [path for path in files if path.name == gguf_file]
    if part in _CONFIGS:
        return [path for path in files if path.name == _CONFIGS[part]]
    return [
        path
        for path in files
        if path.name.endswith(_WEIGHTS) == (part == "model") and path.name not in _CONFIGS.values()
    ]


def _is_pointer(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_FIRST_LINE)) == _FIRST_LINE
