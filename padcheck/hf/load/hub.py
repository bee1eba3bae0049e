"""Finds out once what the hub has to say about a model, so that every later step is quick and none waits without end.

transformers asks the hub again for each file and tries six times with pauses, which takes minutes where the hub does
not answer, although all files may lie in the cache. Here it is asked once; where it gives no answer, everything is
loaded from the cache alone.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import constants, try_to_load_from_cache
from transformers.utils.hub import extract_commit_hash

from padcheck.hf.load.errors import explain_load_error, is_silence


@dataclass(frozen=True)
class Source:
    """A model's folder, or its id on the hub.

    Attributes:
        name: The folder or the id.
        revision: The branch, tag or commit that was asked for. Files that are fetched by commit instead are not found
            in the cache by the name of the branch, by padcheck or by anybody else.
        commit: What the revision stands for, so that a result can be repeated; None for a folder, or where unknown.
        silence: Why the hub gave no answer: the files are then loaded from the cache. None where it did.
        files: What the hub says it holds; empty for a folder, or where the hub was silent.
        gguf_file: The file in it that config, tokenizer and weights are read from; None for an ordinary model.
    """

    name: str
    revision: str | None = None
    commit: str | None = None
    silence: Exception | None = None
    files: frozenset[str] = frozenset()
    gguf_file: str | None = None

    def has(self, file: str) -> bool:
        """True where it holds a file of that name: the folder, the hub, or the cache where the hub is silent."""
        if Path(self.name).is_dir():
            return (Path(self.name) / file).is_file()
        if self.silence is None:
            return file in self.files
        return _cached(self.name, file, self.revision) is not None

    @property
    def where(self) -> dict[str, Any]:
        """The arguments of from_pretrained() that say where the files are."""
        return {"revision": self.revision, "local_files_only": self.silence is not None}

    @property
    def what(self) -> dict[str, Any]:
        """The arguments of from_pretrained() that say which file holds config, tokenizer and weights together.

        In a folder it is named by its whole path: transformers takes a file of the same name in the current folder
        first.
        """
        if self.gguf_file is None:
            return {}
        folder = Path(self.name)
        return {"gguf_file": str((folder / self.gguf_file).absolute()) if folder.is_dir() else self.gguf_file}


def find(name: str, revision: str | None, file: str = "config.json") -> Source:
    """Asks the hub whether it knows a model, and at which commit; a folder is taken as it is.

    Args:
        name: The folder, or the id on the hub.
        revision: The branch, tag or commit.
        file: One that the model needs: where the hub is silent, its place in the cache tells the commit.

    Raises:
        NotMeasuredError: The hub answered that it knows no such model or revision, or refused to let us in.
    """
    if Path(name).is_dir():
        return Source(name)
    try:
        with bounded_requests():
            info = huggingface_hub.HfApi().model_info(
                name, revision=revision, timeout=float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
            )
    except Exception as error:
        if not is_silence(error):
            raise explain_load_error(error, name, "model", revision) from error
        return Source(name, revision, _cached_commit(name, file, revision), error)
    return Source(name, revision, info.sha, files=frozenset(file.rfilename for file in info.siblings or ()))


def _cached_commit(name: str, file: str, revision: str | None) -> str | None:
    commit: str | None = extract_commit_hash(_cached(name, file, revision), None)
    return commit


def _cached(name: str, file: str, revision: str | None) -> str | None:
    try:
        path: object = try_to_load_from_cache(name, file, revision=revision)
    except huggingface_hub.errors.HFValidationError:
        return None
    return path if isinstance(path, str) else None


@contextmanager
def bounded_requests() -> Iterator[None]:
    """Within the context, requests without a time limit get HF_HUB_DOWNLOAD_TIMEOUT, and nobody else is asked anything.

    huggingface_hub 1.0 and newer asks for a model's metadata without any limit, so a server that accepts and never
    answers would be waited for until somebody presses Ctrl-C. Older clients set their own limits. And transformers
    would ask a third party to convert the weights of a repository without safetensors.
    """
    with _environment(DISABLE_SAFETENSORS_CONVERSION="1"):
        client: Any = huggingface_hub.get_session()
        before = getattr(client, "event_hooks", None)
        if before is None:
            yield
            return
        client.event_hooks = {**before, "request": [*before["request"], _bound]}
        try:
            yield
        finally:
            client.event_hooks = before


def _bound(request: Any) -> None:
    limits = request.extensions.get("timeout") or {}
    request.extensions["timeout"] = {
        kind: limits.get(kind) or float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
        for kind in ("connect", "read", "write", "pool")
    }


@contextmanager
def _environment(**values: str) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
