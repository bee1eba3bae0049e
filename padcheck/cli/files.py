"""The files that a command writes: checked before anything runs, and never left half written."""

import os
import sys
import tempfile
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, TextIO

from padcheck.core.errors import UsageError
from padcheck.core.settings import MeasureSettings, OutputSettings
from padcheck.reporters import Format
from padcheck.reporters.text.visible import visible

STDIN = Path("/dev/stdin")
"""The prompts file that `-` stands for. It may be an ordinary file: `padcheck compare --prompts - < prompts.txt`."""

_MODEL_FOLDER = ("config.json", "adapter_config.json", "tokenizer_config.json", "tokenizer.json", "vocab.json")
"""A folder with one of these files is the folder of a model or a tokenizer."""

_MODEL_FILES = (
    *_MODEL_FOLDER,
    *("generation_config.json", "preprocessor_config.json", "processor_config.json", "quantize_config.json"),
    *("special_tokens_map.json", "added_tokens.json", "tekken.json", "vocab.txt", "merges.txt", "chat_template.*"),
    *("*.index.json", "*.safetensors", "*.bin", "*.pt", "*.pth", "*.gguf"),
    *("*.model", "*.spm", "*.tiktoken", "*.jinja", "*.py"),
)
"""The names that transformers reads in such a folder. A report under one of them would change the model."""


def possible_path(option: str, path: Path) -> Path:
    """The path, if a file can have that name and its folder can be read.

    Raises:
        UsageError: The name is too long, contains NUL, or leads through a folder that cannot be read.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UsageError(f"{option} {path} cannot be used: {reason}.", change="Choose another path.") from error
    return path


def read_by(values: Mapping[str, Any], *measured: MeasureSettings) -> list[Path]:
    """The files and folders that these options and settings make a command read."""
    paths = [values[name] for name in ("prompts_file", "baseline") if name in values]
    for each in measured:
        paths += [Path(name) for name in (each.model, each.adapter, each.tokenizer, each.gguf_file) if name is not None]
        paths += [] if each.gguf_file is None else [Path(each.model, each.gguf_file)]
    return paths


def files_of(output: OutputSettings) -> list[tuple[str, Format, Path]]:
    """Option, format and path of each report to write to a file."""
    main = [("--output", Format(output.format), output.path)] if output.path is not None else []
    return main + [(f"--report {name}", Format(name), path) for name, path in output.reports.items()]


def require_writable(output: OutputSettings, *, reads: Iterable[Path] = (), baseline: Path | None = None) -> None:
    """Checks before the run that every report, and a baseline to write, can be written without loss of another file.

    Args:
        output: The reports to write.
        reads: The files that the command reads.
        baseline: The baseline to write; None if none is written.

    Raises:
        UsageError: A folder does not exist or is not writable, a path is a folder or occurs twice, or a file is an
            input of the command or part of a model.
    """
    if output.discarded:
        return
    written = [(option, path) for option, _, path in files_of(output)]
    if baseline is not None:
        written.append(("--baseline", baseline))
    reads = list(reads)
    seen: dict[Path, str] = {}
    for option, path in written:
        _require_possible(option, path)
        _require_no_input(option, path, () if path is baseline else reads)  # a baseline is read, then written
        if own_stream(path) is sys.stdout and output.path is None and output.format != Format.TABLE:
            raise UsageError(
                f"{option} {path} is standard output, which --format {output.format} already uses.",
                change="Write one of them to a file.",
            )
        if path.resolve() in seen:
            raise UsageError(
                f"{option} and {seen[path.resolve()]} name the same file, {path}.",
                change="Give each one a different file.",
            )
        seen[path.resolve()] = option


def _require_possible(option: str, path: Path) -> None:
    if path.is_dir():
        raise UsageError(f"{option} {path} is a folder.", change="Give a file in it.")
    if not path.parent.is_dir():
        raise UsageError(f"The folder of {option} {path} does not exist.", change=f"Create it: mkdir -p {path.parent}")
    # A file is replaced, not rewritten, so the folder must be writable.
    if not os.access(path.parent, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise UsageError(
            f"{option} {path} cannot be written.", change="Choose another path, or change the permissions."
        )


def _require_no_input(option: str, path: Path, reads: Iterable[Path]) -> None:
    change = "Choose another path: the report would replace the file."
    # A terminal or a pipe may be both read and written.
    if path.is_file() and any(each.is_file() and each.samefile(path) for each in reads):
        raise UsageError(f"{option} {path} is a file that this command reads.", change=change)
    file = path.resolve()
    in_a_model = any((folder / name).is_file() for folder in file.parents[:2] for name in _MODEL_FOLDER)
    if in_a_model and any(fnmatch(file.name.lower(), name) for name in _MODEL_FILES):
        raise UsageError(f"{option} {path} is in a model's folder, under a name of a model's file.", change=change)


def write_file(option: str, path: Path, text: str, output: OutputSettings) -> None:
    """Writes a whole file or nothing, so that a reader never sees half of one, and reports it on stderr.

    Raises:
        UsageError: The file cannot be written.
    """
    if output.discarded:
        return
    try:
        if (stream := own_stream(path)) is not None:
            getattr(stream, "styled", stream).write(text)  # a report is safe already
            stream.flush()
        elif path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")  # a named pipe
        else:
            _replace(path.resolve(), text)  # resolve(): a link stays a link
    except OSError as error:
        raise UsageError(
            f"{option} {path} cannot be written: {error.strerror or error}.", change="Choose another path."
        ) from error
    if not output.quiet:
        sys.stderr.write(f"wrote {visible(str(path))}\n")


def own_stream(path: Path) -> TextIO | None:
    """Stdout or stderr if the path is one of them, such as /dev/stdout. The file that it leads to must stay."""
    return next((stream for stream in (sys.stdout, sys.stderr) if path.exists() and _is(path, stream)), None)


def _is(path: Path, stream: TextIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except (OSError, ValueError):  # the stream is closed or has no file descriptor
        return False


def _replace(path: Path, text: str) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".padcheck-") as folder:
        written = Path(folder) / path.name
        written.write_text(text, encoding="utf-8")
        if path.exists():
            written.chmod(path.stat().st_mode)
        written.replace(path)
