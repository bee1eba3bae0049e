"""Turns what huggingface_hub, transformers, safetensors and torch raise while loading into one message each.

The libraries wrap one another's exceptions, and each version wraps them differently; so the whole chain of causes is
searched, for types where they are public and for words where they are not.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from safetensors import SafetensorError

from padcheck.core.errors import NotMeasuredError
from padcheck.hf.library.exceptions import OUT_OF_MEMORY_TYPES, OUT_OF_MEMORY_WORDS, shortened
from padcheck.hf.load.error_case import Case
from padcheck.hf.load.gguf_errors import GGUF_CASES

_CODE = Case(
    (),
    ("trust_remote_code", "requires you to execute"),
    "{source} comes with Python code of its own, and was not given leave to run it.",
    "Its architecture or its tokenizer is not part of transformers.",
    "Read that code; if you trust it, add --trust-remote-code.",
)
_NO_CODE = Case(
    (),
    (r"does not appear to have a file named \S+\.py\b",),
    "The Python code of {source} is incomplete: {error}",
    "Its configuration names a file that is not there.",
    "Download the whole repository, code included.",
)
_GATED = Case(
    (GatedRepoError,),
    (),
    "{source} is gated: the hub did not let us in.",
    "Its licence must be accepted on its page, and no token was sent, or one of an account without access.",
    "Accept the licence on the model's page, then run `hf auth login` or set HF_TOKEN.",
)
_UNKNOWN_REVISION = Case(
    (RevisionNotFoundError,),
    (),
    "{source} has no revision {revision}.",
    "The branch, tag or commit was misspelt, or is gone.",
    "Look at the model's page for its revisions, or leave out --revision.",
)
_UNKNOWN_MODEL = Case(
    (RepositoryNotFoundError, HFValidationError),
    (),
    "{source} is neither a folder here nor a model on the hub.",
    "The name is misspelt, or the model is private and no token was sent.",
    "Check the name; for a private model run `hf auth login` or set HF_TOKEN.",
)
_BAD_TOKEN = Case(
    (),
    ("401 Unauthorized", "401 Client Error", "Invalid credentials"),
    "The hub refused the token that was sent for {source}.",
    "It has expired or was revoked.",
    "Run `hf auth login` again, or set HF_TOKEN to a valid token, or unset it.",
)
_OFFLINE = Case(
    (OfflineModeIsEnabled,),
    ("outgoing traffic has been disabled", "offline mode"),
    "{source} is not in the cache, and offline mode is on.",
    "HF_HUB_OFFLINE is set, so nothing is downloaded; the {part} was never downloaded before, or into another cache.",
    "Unset HF_HUB_OFFLINE to download it, or point HF_HUB_CACHE at the cache that holds it.",
)
_BROKEN_DOWNLOAD = Case(
    (),
    ("ChunkedEncodingError", "IncompleteRead", "RemoteProtocolError", "Consistency check failed", "Connection broken"),
    "The download of {source} broke off: the server closed the connection halfway.",
    "The network or a proxy is unreliable.",
    "Run the command again: what has arrived is kept and the rest is fetched.",
)
_TIMEOUT = Case(
    (TimeoutError,),
    ("Timeout",),
    "The hub does not answer: {part} of {source} timed out.",
    "The server, a proxy or the network stalls.",
    "Run it again later, raise HF_HUB_DOWNLOAD_TIMEOUT and HF_HUB_ETAG_TIMEOUT (seconds), or set HF_HUB_OFFLINE=1 "
    "to use the cache alone.",
)
_SERVER_ERROR = Case(
    (),
    ("Server error '5", "500 Server Error", "Internal Server Error", "Bad Gateway", "Service Unavailable"),
    "The hub answered with a server error while {part} of {source} was loaded.",
    "The fault is on its side.",
    "Run it again later, or set HF_HUB_OFFLINE=1 to use the cache alone.",
)
_UNREACHABLE = Case(
    (LocalEntryNotFoundError, ConnectionError),
    ("ConnectError", "ConnectionError", "couldn't connect to"),
    "The hub cannot be reached, and {source} is not in the cache.",
    "There is no network, a proxy is missing, or HF_ENDPOINT is wrong.",
    "Check the connection, HTTPS_PROXY and HF_ENDPOINT, or give a local folder.",
)
_HUB_ERROR = Case(
    (HfHubHTTPError,),
    (),
    "The hub refused to hand over the {part} of {source}: {error}",
    "",
    "Check the name and the token.",
)
_NO_MEMORY = Case(
    OUT_OF_MEMORY_TYPES,
    OUT_OF_MEMORY_WORDS,
    "{source} does not fit into memory.",
    "Its weights in this dtype are larger than what is free.",
    "Use --dtype bfloat16, --device-map auto, or --tiny for the architecture alone.",
)
_MISSING_PACKAGE = Case(
    (ImportError,),
    (),
    "The {part} of {source} needs a package that is not installed: {error}",
    "",
    "Install the package that the message names.",
)
_BAD_JSON = Case(
    (json.JSONDecodeError, UnicodeDecodeError),
    ("not a valid JSON file",),
    "The {part} of {source} is not valid JSON: {error}",
    "The file was cut off, edited by hand, or is a Git LFS pointer.",
    "Download it again, or correct it.",
)
_UNKNOWN_TYPE = Case(
    (),
    ("does not recognize this architecture", "Unrecognized model", "model_type"),
    "transformers does not know the architecture of {source}: {error}",
    "config.json is missing or names no model_type, or this transformers is older than the model.",
    "Check config.json, or upgrade transformers.",
)
_NO_WEIGHTS = Case(
    (FileNotFoundError,),
    ("no file named model.safetensors", "no file named pytorch_model.bin", "does not appear to have a file named"),
    "{source} has no weights that transformers can load: {error}",
    "There is neither model.safetensors nor pytorch_model.bin, or a shard of them is missing.",
    "Download the weights, add --tiny to measure the architecture without them, or name a GGUF file with --gguf-file.",
)
_NO_TOKENIZER = Case(
    (BaseException,),
    (),
    "{source} has no tokenizer that transformers can load: {error}",
    "A file of it (tokenizer.json, tokenizer.model, vocab.json, merges.txt) is missing, cut off, or a Git LFS pointer.",
    "Download them again, or name another model's tokenizer with --tokenizer.",
)
_BROKEN_WEIGHTS = Case(
    (SafetensorError, EOFError),
    ("UnpicklingError", "PytorchStreamReader", "invalid load key", "failed finding central directory"),
    "The weights of {source} cannot be read: {error}",
    "The file is cut off or damaged, or is a Git LFS pointer instead of the weights.",
    "Download it again.",
)
_ANYTHING = Case(
    (BaseException,),
    (),
    "The {part} of {source} cannot be loaded: {kind}: {error}",
    "Something in the model's files does not fit the installed transformers.",
    "Upgrade transformers, or check the files; --verbose shows where it failed.",
)

_REFUSALS = (_GATED, _UNKNOWN_REVISION, _UNKNOWN_MODEL, _BAD_TOKEN)
_SILENCES = (_OFFLINE, _BROKEN_DOWNLOAD, _TIMEOUT, _SERVER_ERROR, _UNREACHABLE)
_FILE_CASES = {
    "config": (_BAD_JSON, _UNKNOWN_TYPE),
    "tokenizer": (_NO_TOKENIZER,),
    "generation_config": (_BAD_JSON,),
    "adapter": (_BAD_JSON,),
    "model": (_BROKEN_WEIGHTS, _NO_WEIGHTS, _BAD_JSON),
}


def explain_load_error(
    error: Exception, source: str, part: str, revision: str | None, gguf_file: str | None = None
) -> NotMeasuredError:
    """The one message for an exception that loading `part` of `source` ended in.

    Args:
        error: The outermost exception.
        source: Hub id or folder.
        part: "config", "tokenizer", "generation_config", "adapter" or "model".
        revision: The one that was asked for.
        gguf_file: The GGUF file that all parts come from; None if there is no such file.
    """
    hub_cases = () if Path(source).is_dir() else (*_REFUSALS, *_SILENCES)
    file_cases = (_MISSING_PACKAGE, *_FILE_CASES[part]) if gguf_file is None else GGUF_CASES[part]
    cases = (_CODE, _NO_CODE, _NO_MEMORY, *hub_cases, _HUB_ERROR, *file_cases, _ANYTHING)
    case, cause = next((case, link) for case in cases for link in _chain(error) if case.matches(link))
    what, meaning, change = (
        text.format(
            source=source,
            part=part,
            revision=revision,
            file=gguf_file,
            kind=type(cause).__name__,
            error=shortened(cause),
        )
        for text in (case.what, case.meaning, case.change)
    )
    return NotMeasuredError(what, meaning=meaning, change=change)


def is_silence(error: Exception) -> bool:
    """True where the hub gave no answer, as opposed to one that we do not like: the cache may still help."""
    chain = list(_chain(error))
    refused, silent = (any(case.matches(link) for case in cases for link in chain) for cases in (_REFUSALS, _SILENCES))
    return silent and not refused


def is_missing_file(error: BaseException) -> bool:
    """True where a repository or folder simply has no such file, as opposed to one that cannot be had or read."""
    chain = list(_chain(error))
    if any(isinstance(link, LocalEntryNotFoundError) for link in chain):
        return False
    absent = any(isinstance(link, EntryNotFoundError) for link in chain)
    return absent or "does not appear to have a file named" in str(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """An exception, what caused it, what caused that; what it was raised while handling where no cause is named."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__
