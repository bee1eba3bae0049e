"""Turns an exception that a library raised while loading into one message: what happened, why, what to change.

The libraries wrap each other's exceptions, and every version does it differently. So the whole chain of causes is
searched: by type if the type is public, otherwise by words in the message.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from huggingface_hub.errors import (
    EntryNotFoundError,
    FileMetadataError,
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
from padcheck.hf.load.error_case import LoadErrorCase
from padcheck.hf.load.gguf_errors import GGUF_CASES
from padcheck.hf.load.git_lfs import pointer_error

_UNTRUSTED_CODE = LoadErrorCase(
    (),
    ("trust_remote_code", "requires you to execute"),
    "{source} comes with its own Python code, which needs your permission to run.",
    "Its architecture or its tokenizer is not part of transformers.",
    "Read that code. If you trust it, add --trust-remote-code.",
)
_MISSING_CODE_FILE = LoadErrorCase(
    (),
    (r"does not appear to have a file named \S+\.py\b",),
    "The Python code of {source} is incomplete: {error}",
    "Its configuration names a file that is missing.",
    "Download the whole repository, including its code.",
)
_GATED = LoadErrorCase(
    (GatedRepoError,),
    (),
    "The hub refused access: {source} is gated.",
    "Its licence must be accepted on its page. Either no token was sent, or the token's account has no access.",
    "Accept the licence on the model's page, then run `hf auth login` or set HF_TOKEN.",
)
_UNKNOWN_REVISION = LoadErrorCase(
    (RevisionNotFoundError,),
    (),
    "{source} has no revision {revision}.",
    "The branch, tag or commit is misspelt or was deleted.",
    "Look up the revisions on the model's page, or leave out --revision.",
)
_UNKNOWN_MODEL = LoadErrorCase(
    (RepositoryNotFoundError, HFValidationError),
    (),
    "{source} is neither a local folder nor a model on the hub.",
    "The name is misspelt, or the model is private and no token was sent.",
    "Check the name. If the model is private, run `hf auth login` or set HF_TOKEN.",
)
_BAD_TOKEN = LoadErrorCase(
    (),
    ("401 Unauthorized", "401 Client Error", "Invalid credentials"),
    "The hub refused the token that was sent for {source}.",
    "The token has expired or was revoked.",
    "Run `hf auth login` again, set HF_TOKEN to a valid token, or unset it.",
)
_NO_METADATA = LoadErrorCase(
    (FileMetadataError,),
    (),
    "The hub's answer about the {part} of {source} is incomplete: {error}",
    "A mirror or a proxy drops headers (ETag, Content-Length, X-Repo-Commit) that huggingface_hub needs.",
    "Check HF_ENDPOINT and HTTPS_PROXY, or give a local folder.",
)
_OFFLINE = LoadErrorCase(
    (OfflineModeIsEnabled,),
    ("outgoing traffic has been disabled", "offline mode"),
    "{source} is not in the cache, and offline mode is on.",
    "HF_HUB_OFFLINE is set, so nothing is downloaded. The {part} was never downloaded, or is in another cache.",
    "Unset HF_HUB_OFFLINE to download it, or set HF_HUB_CACHE to the cache that holds it.",
)
_BROKEN_DOWNLOAD = LoadErrorCase(
    (),
    ("ChunkedEncodingError", "IncompleteRead", "RemoteProtocolError", "Consistency check failed", "Connection broken"),
    "The download of {source} broke off: the server closed the connection.",
    "The network or a proxy is unreliable.",
    "Run the command again: it keeps what has arrived and downloads the rest.",
)
_TIMEOUT = LoadErrorCase(
    (TimeoutError,),
    ("Timeout",),
    "The hub does not answer: loading the {part} of {source} timed out.",
    "The server, a proxy or the network is stuck.",
    "Try again later, raise HF_HUB_DOWNLOAD_TIMEOUT and HF_HUB_ETAG_TIMEOUT (seconds), or set HF_HUB_OFFLINE=1 to use "
    "only the cache.",
)
_SERVER_ERROR = LoadErrorCase(
    (),
    ("Server error '5", "500 Server Error", "Internal Server Error", "Bad Gateway", "Service Unavailable"),
    "The hub answered the request for the {part} of {source} with a server error.",
    "The problem is on the hub's side.",
    "Try again later, or set HF_HUB_OFFLINE=1 to use only the cache.",
)
_UNREACHABLE = LoadErrorCase(
    (LocalEntryNotFoundError, ConnectionError),
    ("ConnectError", "ConnectionError", "UnsupportedProtocol", "couldn't connect to"),
    "The hub cannot be reached, and {source} is not in the cache.",
    "There is no network, a proxy is missing, or HF_ENDPOINT is wrong.",
    "Check the connection, HTTPS_PROXY and HF_ENDPOINT, or give a local folder.",
)
_HUB_ERROR = LoadErrorCase(
    (HfHubHTTPError,),
    (),
    "The hub did not deliver the {part} of {source}: {error}",
    "",
    "Check the name and the token.",
)
_OUT_OF_MEMORY = LoadErrorCase(
    OUT_OF_MEMORY_TYPES,
    OUT_OF_MEMORY_WORDS,
    "{source} does not fit into memory.",
    "In this dtype its weights need more memory than is free.",
    "Use --dtype bfloat16, --device-map auto, or --tiny to measure only the architecture.",
)
_MISSING_PACKAGE = LoadErrorCase(
    (ImportError,),
    (),
    "The {part} of {source} needs a package that is not installed: {error}",
    "",
    "Install the package that the message names.",
)
_BAD_JSON = LoadErrorCase(
    (json.JSONDecodeError, UnicodeDecodeError),
    ("not a valid JSON file",),
    "The {part} of {source} is not valid JSON: {error}",
    "The file was cut off or edited by hand.",
    "Download it again, or correct it.",
)
_UNKNOWN_TYPE = LoadErrorCase(
    (),
    ("does not recognize this architecture", "Unrecognized model", "model_type"),
    "transformers does not know the architecture of {source}: {error}",
    "config.json is missing or has no model_type, or the installed transformers is older than the model.",
    "Check config.json, or upgrade transformers.",
)
_NO_WEIGHTS = LoadErrorCase(
    (FileNotFoundError,),
    ("no file named model.safetensors", "no file named pytorch_model.bin", "does not appear to have a file named"),
    "{source} has no weights that transformers can load: {error}",
    "Both model.safetensors and pytorch_model.bin are missing, or one of their shards is.",
    "Download the weights, add --tiny to measure the architecture without them, or name a GGUF file with --gguf-file.",
)
_NO_TOKENIZER = LoadErrorCase(
    (BaseException,),
    (),
    "{source} has no tokenizer that transformers can load: {error}",
    "One of its files (tokenizer.json, tokenizer.model, vocab.json, merges.txt) is missing or cut off.",
    "Download the files again, or name another model's tokenizer with --tokenizer.",
)
_BROKEN_WEIGHTS = LoadErrorCase(
    (SafetensorError, EOFError),
    ("UnpicklingError", "PytorchStreamReader", "invalid load key", "failed finding central directory"),
    "The weights of {source} cannot be read: {error}",
    "The file is cut off or damaged.",
    "Download it again.",
)
_BROKEN_TOKENIZER = LoadErrorCase(
    (BaseException,),
    (),
    "The tokenizer of {source} fails on a text: {kind}: {error}",
    "Its files contradict each other, or its own Python code does not fit the installed transformers.",
    "Check its files, or name another model's tokenizer with --tokenizer; --verbose shows where it failed.",
)
_ANYTHING_ELSE = LoadErrorCase(
    (BaseException,),
    (),
    "The {part} of {source} cannot be loaded: {kind}: {error}",
    "Something in the model's files does not fit the installed transformers.",
    "Upgrade transformers, or check the files; --verbose shows where it failed.",
)

_REFUSALS = (_GATED, _UNKNOWN_REVISION, _UNKNOWN_MODEL, _BAD_TOKEN)
_OUTAGES = (_NO_METADATA, _OFFLINE, _BROKEN_DOWNLOAD, _TIMEOUT, _SERVER_ERROR, _UNREACHABLE)
_FILE_CASES = {
    "config": (_BAD_JSON, _UNKNOWN_TYPE),
    "tokenizer": (_NO_TOKENIZER,),
    "encoding": (_BROKEN_TOKENIZER,),
    "generation_config": (_BAD_JSON,),
    "adapter": (_BAD_JSON,),
    "model": (_BROKEN_WEIGHTS, _NO_WEIGHTS, _BAD_JSON),
}


def explain_load_error(
    error: Exception, source: str, part: str, revision: str | None, gguf_file: str | None = None
) -> NotMeasuredError:
    """The error to raise in place of an exception that occurred while loading `part` of `source`.

    Args:
        error: The outermost exception.
        source: Hub id or folder.
        part: "config", "tokenizer", "encoding" (use of the tokenizer), "generation_config", "adapter" or "model".
        revision: The requested branch, tag or commit; None for the default branch.
        gguf_file: The GGUF file that holds all parts; None for an ordinary model.
    """
    hub_cases = () if Path(source).is_dir() else (*_REFUSALS, *_OUTAGES)
    file_cases = (_MISSING_PACKAGE, *_FILE_CASES[part]) if gguf_file is None else GGUF_CASES[part]
    cases = (_UNTRUSTED_CODE, _MISSING_CODE_FILE, _OUT_OF_MEMORY, *hub_cases, _HUB_ERROR, *file_cases, _ANYTHING_ELSE)
    case, cause = next((case, link) for case in cases for link in _chain(error) if case.matches(link))
    if case in (*file_cases, _ANYTHING_ELSE) and (pointer := pointer_error(source, part, gguf_file)):
        return pointer
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


def is_outage(error: Exception) -> bool:
    """True if the hub could not be asked, so the cache may still help; False if it answered and refused."""
    chain = list(_chain(error))
    refused, outage = (any(case.matches(link) for case in cases for link in chain) for cases in (_REFUSALS, _OUTAGES))
    return outage and not refused


def is_missing_file(error: BaseException) -> bool:
    """True if the repository or folder does not contain the file; False if the file could not be fetched or read."""
    chain = list(_chain(error))
    if any(isinstance(link, LocalEntryNotFoundError) for link in chain):
        return False
    absent = any(isinstance(link, EntryNotFoundError) for link in chain)
    return absent or "does not appear to have a file named" in str(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and its causes, outermost first; without a cause, the exception that was being handled."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__
