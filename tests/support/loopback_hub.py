"""A Hugging Face hub on the loopback interface, to test what happens when the hub fails.

It implements the part of the hub's HTTP protocol that ``from_pretrained`` and ``hf_hub_download`` use, so the real
``huggingface_hub`` client runs against it. Like the hub, it names the reason of a refusal in ``X-Error-Code``; the
client chooses its exception by this header.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

_REPO = r"(?P<repo_id>(?:[^/]+/)?[^/]+)"
_FILE = re.compile(rf"/{_REPO}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
_TREE = re.compile(rf"/api/models/{_REPO}/tree/(?P<revision>[^/]+)(?:/(?P<path>.+))?")
_INFO = re.compile(rf"/api/models/{_REPO}(?:/revision/(?P<revision>[^/]+))?")
_RANGE = re.compile(r"bytes=(\d+)-")


class Fault(Enum):
    """How a repository fails."""

    NONE = auto()
    GATED_401 = auto()  # The repository is gated and the request carries no token.
    GATED_403 = auto()  # The repository is gated and the token's owner has no access.
    INVALID_TOKEN = auto()  # The token is mistyped, expired or revoked.
    SERVER_ERROR = auto()  # Every request is answered with status 500.
    STALL = auto()  # Every request is accepted and none is answered before the hub closes.
    TRICKLE = auto()  # Every answer arrives byte by byte, too slowly to ever end.
    TRICKLING_FILES = auto()  # The same, but only for the contents of files.
    NO_ETAG = auto()  # Files are sent without the header that identifies their version, as by some mirrors.
    TRUNCATED = auto()  # Weights break off halfway, however often the client resumes the download.


class _RefusalError(Exception):
    """An answer that is not a success: its status, the hub's wording and, if the hub sends one, the error code."""

    def __init__(self, status: int, message: str, code: str | None = None, commit: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        named = {"X-Error-Message": message, "X-Error-Code": code, "X-Repo-Commit": commit}
        self.headers = {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True)
class _Repo:
    """A folder served as a model repository of a single commit."""

    folder: Path
    fault: Fault
    commit: str

    def files(self) -> dict[str, Path]:
        """Returns the repository's files by their path in it."""
        found = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path for path in found}

    def refuse(self, *, download: bool) -> None:
        """Raises the refusal of the repository's fault, if any. A gated repository still lists its files."""
        if self.fault is Fault.INVALID_TOKEN:
            raise _RefusalError(401, "Invalid credentials in Authorization header")
        if self.fault is Fault.SERVER_ERROR:
            raise _RefusalError(500, "Internal Error - We're working hard to fix this as soon as possible!")
        if self.fault is Fault.GATED_401 and download:
            raise _RefusalError(401, "You must be authenticated to access this model. Please log in.", "GatedRepo")
        if self.fault is Fault.GATED_403 and download:
            raise _RefusalError(403, "You are not in the authorized list of this model.", "GatedRepo")


class LoopbackHub(ThreadingHTTPServer):
    """Serves folders as model repositories. Each one can be made to fail in one way.

    Use it as a context manager. Leaving it stops the server and every request that still hangs.

    Attributes:
        endpoint: The hub's address, for the variable ``HF_ENDPOINT``.
        requested: Set with the first request.
        requests: All requests, such as ``HEAD /org/name/resolve/main/config.json``, in order of arrival.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.requests: list[str] = []
        self.repos: dict[str, _Repo] = {}
        self.requested = threading.Event()
        self.closing = threading.Event()

    def __enter__(self) -> LoopbackHub:
        # `shutdown` waits for the end of a poll. The default of half a second would slow every test down.
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.shutdown()
        self.server_close()

    def shutdown(self) -> None:
        self.closing.set()
        super().shutdown()

    def add(self, repo_id: str, folder: Path, *, fault: Fault = Fault.NONE) -> None:
        """Serves a folder.

        Args:
            repo_id: The repository's name, ``org/name`` or ``name``.
            folder: The folder with the repository's files, including subfolders.
            fault: How the repository fails.
        """
        self.repos[repo_id] = _Repo(folder, fault, commit=hashlib.sha1(repo_id.encode()).hexdigest())

    def client_environ(self, home: Path) -> dict[str, str]:
        """Returns the environment for a subprocess whose hub client talks only to this hub.

        Args:
            home: The client's ``HF_HOME``; with an empty folder, the client has no token, cache or settings.
        """
        settings = ("HF_", "HUGGING", "TRANSFORMERS_")
        return {name: value for name, value in os.environ.items() if not name.startswith(settings)} | {
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(home),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DOWNLOAD_TIMEOUT": "100",
            "HF_HUB_ETAG_TIMEOUT": "100",
            "NO_PROXY": "127.0.0.1",
        }


SOON = {"HF_HUB_DOWNLOAD_TIMEOUT": "1", "HF_HUB_ETAG_TIMEOUT": "1"}
"""Variables for a client that waits for an answer that does not come: the client gives up after a second."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one request. The base class speaks HTTP/1.0 and then closes the connection, so none outlives the hub."""

    server: LoopbackHub

    def do_GET(self) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        self.server.requested.set()
        try:
            self._answer()
        except _RefusalError as refusal:
            self._send(refusal.status, b"", refusal.headers)

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name)
        """Prints nothing: `LoopbackHub.requests` is the log."""

    def _answer(self) -> None:
        url = urlsplit(self.path)
        route = _FILE.fullmatch(url.path) or _TREE.fullmatch(url.path) or _INFO.fullmatch(url.path)
        if route is None:
            raise _RefusalError(404, "Not Found")
        asked = {name: unquote(value or "") for name, value in route.groupdict().items()}
        repo = self.server.repos.get(asked["repo_id"])
        if repo is None:
            # The hub does not tell a stranger whether a repository is absent or private.
            raise _RefusalError(404 if "Authorization" in self.headers else 401, "Repository not found", "RepoNotFound")
        if repo.fault is Fault.STALL:
            self.server.closing.wait()
            return
        repo.refuse(download=route.re is _FILE)
        if asked["revision"] not in ("", "main", repo.commit):
            raise _RefusalError(404, "Invalid rev id", "RevisionNotFound")
        if route.re is _FILE:
            self._send_file(repo, asked["path"])
        elif route.re is _TREE:
            recursive = parse_qs(url.query).get("recursive", [""])[0].lower() in ("1", "true")
            self._send_tree(repo, asked["path"], recursive=recursive)
        else:
            siblings = [{"rfilename": path} for path in repo.files()]
            about = {"id": asked["repo_id"], "sha": repo.commit, "private": False, "siblings": siblings}
            self._send_json(about, slow=repo.fault is Fault.TRICKLE)

    def _send_file(self, repo: _Repo, path: str) -> None:
        file = repo.files().get(path)
        if file is None:
            raise _RefusalError(404, "Entry not found", "EntryNotFound", repo.commit)
        content = file.read_bytes()
        resumed = _RANGE.fullmatch(self.headers.get("Range", ""))
        start = int(resumed[1]) if resumed else 0
        broken = repo.fault is Fault.TRUNCATED and file.suffix in (".bin", ".safetensors")
        headers = {
            "X-Repo-Commit": repo.commit,
            **({} if repo.fault is Fault.NO_ETAG else {"ETag": f'"{hashlib.sha256(content).hexdigest()}"'}),
            "Content-Length": str(len(content) - start),
        }
        if resumed:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        slow = repo.fault in {Fault.TRICKLE, Fault.TRICKLING_FILES}
        end = len(content) // 2 if broken else None
        self._send(206 if resumed else 200, content[start:end], headers, slow=slow)

    def _send_tree(self, repo: _Repo, folder: str, *, recursive: bool) -> None:
        prefix = f"{folder}/" if folder else ""
        within = {path: file for path, file in repo.files().items() if path.startswith(prefix)}
        if not within:
            raise _RefusalError(404, f"{folder} does not exist", "EntryNotFound")
        self._send_json(
            [
                {"type": "file", "path": path, "size": file.stat().st_size, "oid": ""}
                for path, file in within.items()
                if recursive or "/" not in path.removeprefix(prefix)
            ]
        )

    def _send_json(self, answer: Any, *, slow: bool = False) -> None:
        self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"}, slow=slow)

    def _send(self, status: int, body: bytes, headers: dict[str, str], *, slow: bool = False) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        if not slow:
            self.wfile.write(body)
            return
        with suppress(ConnectionError):  # The client gives up.
            for value in body:
                self.wfile.write(bytes([value]))
                if self.server.closing.wait(0.1):
                    return
