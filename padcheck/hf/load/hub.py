"""Asks the hub once about a model, so that later steps do not wait for a hub that does not answer.

transformers asks the hub again for each file and retries six times with pauses. If the hub is down, that takes minutes
even when all files are in the cache. Here the hub is asked once; if it does not answer, all files come from the cache.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import constants, try_to_load_from_cache
from transformers.utils.hub import extract_commit_hash

from padcheck.core.errors import PadcheckError
from padcheck.hf.library.exceptions import panics_as_errors
from padcheck.hf.load.bounded_requests import bounded_requests
from padcheck.hf.load.errors import explain_load_error, is_outage


@dataclass(frozen=True)
class Source:
    """A model's folder, or its id on the hub.

    Attributes:
        name: The folder or the id.
        revision: The requested branch, tag or commit; None for the default branch. Files are requested by it and not by
            `commit`: a file that was cached by commit is not found under the branch name later.
        commit: The commit that the revision resolves to, to make results repeatable; None for a folder or if unknown.
        outage: The exception if the hub could not be asked: the files then come from the cache. None if it answered.
        files: The names of the files on the hub; empty for a folder or during an outage.
        gguf_file: The file that config, tokenizer and weights are read from; None for an ordinary model.
        subfolder: Where in the folder or repository the model is; empty if it is at the top.
    """

    name: str
    revision: str | None = None
    commit: str | None = None
    outage: Exception | None = None
    files: frozenset[str] = frozenset()
    gguf_file: str | None = None
    subfolder: str = ""

    def has(self, file: str) -> bool:
        """True if the folder or the repository has a file of that name; during an outage, if the cache has it."""
        file = f"{self.subfolder}/{file}" if self.subfolder else file
        if Path(self.name).is_dir():
            return (Path(self.name) / file).is_file()
        if self.outage is None:
            return file in self.files
        return _cached(self.name, file, self.revision) is not None

    @property
    def revision_arguments(self) -> dict[str, Any]:
        """The arguments of from_pretrained() for revision and subfolder; in an outage only the cache is read."""
        where = {"subfolder": self.subfolder} if self.subfolder else {}
        return {"revision": self.revision, "local_files_only": self.outage is not None, **where}

    @property
    def gguf_arguments(self) -> dict[str, Any]:
        """The argument of from_pretrained() that names the GGUF file; empty for an ordinary model.

        A file in a folder is named by its absolute path, because transformers prefers a file of the same name in the
        current folder.
        """
        if self.gguf_file is None:
            return {}
        folder = Path(self.name)
        return {"gguf_file": str((folder / self.gguf_file).absolute()) if folder.is_dir() else self.gguf_file}


def find_source(name: str, revision: str | None, file: str = "config.json") -> Source:
    """Asks the hub whether it has the model, and at which commit; a local folder is not checked.

    Args:
        name: The folder, or the id on the hub.
        revision: The branch, tag or commit; None for the default branch.
        file: A file that the model needs: during an outage, its path in the cache gives the commit.

    Raises:
        NotMeasuredError: The hub does not have this model or revision, or refused access.
    """
    if Path(name).is_dir():
        return Source(name)
    try:
        with bounded_requests():
            info = huggingface_hub.HfApi().model_info(
                name, revision=revision, timeout=float(constants.HF_HUB_DOWNLOAD_TIMEOUT)
            )
    except Exception as error:
        if not is_outage(error):
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
def load_errors_explained(source: Source, part: str) -> Iterator[None]:
    """Turns any exception raised in the context into one message, and limits how long a server is waited for.

    Args:
        source: What is loaded.
        part: "config", "tokenizer", "encoding" (use of the tokenizer), "generation_config", "adapter" or "model".

    Raises:
        PadcheckError: The context raised an exception.
    """
    try:
        with bounded_requests(), panics_as_errors():
            yield
    except PadcheckError:
        raise
    except Exception as error:
        # During an outage a file that is missing in the cache is only a consequence: report the outage.
        cause = source.outage if source.outage is not None and is_outage(error) else error
        raise explain_load_error(cause, source.name, part, source.revision, source.gguf_file) from error
