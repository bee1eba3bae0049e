"""Holds the ranks of one command together: each hears at once where another one fails or dies, and all end alike.

A collective that waits for a dead process may wait for ever, and no exception gets to a main thread that is inside one.
So every rank has a thread that listens on a connection of its own, and ends the process where it has to.
"""

import atexit
import contextlib
import json
import os
import selectors
import signal
import socket
import sys
import threading
import time
from typing import Any, NoReturn

from padcheck.core.errors import NotMeasuredError, PadcheckError
from padcheck.core.exit_codes import ExitCode

_GRACE = 10.0
"""Seconds in which the other ranks have to fail as well, before one that fails alone ends them all."""

_REPORT_TAKES = 60.0
"""Seconds that the first rank may take to write the report while the others wait with their exit."""

_WAKE = b"\0"


class Lifeline:
    """A connection of rank 0 to each other rank, and what is told over it: one JSON object a line.

    The ranks meet after each step. All of them have failed in it, or none; else they are out of step for good, and the
    command ends: rank 0 says why, and all have the same exit code. The others leave only after rank 0, since a launcher
    stops all that are left when the first one ends with another code than 0.

    Args:
        rank: The number of this process.
        peers: The connections by rank: of rank 0 to all others, of any other one to rank 0.
    """

    def __init__(self, rank: int, peers: dict[int, socket.socket]) -> None:
        self._rank = rank
        self._peers = peers
        self._received = dict.fromkeys(peers, b"")
        self._posts: dict[int, tuple[int, dict[str, Any] | None]] = {}
        self._gone: set[int] = set()
        self._meeting = 0  # that this rank has come to
        self._met = 0  # that all ranks have come to
        self._deadline: float | None = None
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._waking, self._woken = socket.socketpair()
        self._waking.settimeout(0)
        self._handlers = {number: signal.signal(number, _noted) for number in (signal.SIGTERM, signal.SIGINT)}
        # Written to from within the signal itself, also while the main thread is stuck in a collective.
        self._wakeup_fd = signal.set_wakeup_fd(self._waking.fileno(), warn_on_full_buffer=False)
        threading.Thread(target=self._listen, daemon=True, name="padcheck-lifeline").start()

    def meet(self, error: PadcheckError | None = None) -> None:
        """Waits until every rank is here; where they have not all failed, or all not, the process ends instead."""
        with self._changed:
            self._meeting += 1
            post = (self._meeting, None if error is None else _packed(error))
            self._posts[self._rank] = post
        if self._rank == 0:
            self._waking.send(_WAKE)
        else:
            self._send(0, {"meeting": post[0], "error": post[1]})
        with self._changed:
            self._changed.wait_for(lambda: self._met >= post[0])

    def leave(self) -> None:
        """All that the ranks do together is done. Signals are Python's again, and any rank may end."""
        signal.set_wakeup_fd(self._wakeup_fd)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        for peer in self._peers:
            self._send(peer, {"bye": True})
        if self._rank != 0:
            atexit.register(self._closed.wait, _REPORT_TAKES)

    def _listen(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            for peer, connection in self._peers.items():
                selector.register(connection, selectors.EVENT_READ, peer)
            while not self._closed.is_set():
                left = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
                for key, _ in selector.select(left):
                    if key.data is None:
                        self._wake()
                    elif not self._receive(key.data):
                        selector.unregister(key.fileobj)
                        self._lost(key.data)
                self._decide()

    def _wake(self) -> None:
        stopped = [signal.Signals(byte).name for byte in self._woken.recv(64) if byte in self._handlers]
        if not stopped:
            return
        interrupted = stopped[0] == "SIGINT"
        error = NotMeasuredError(
            "Interrupted: nothing was measured." if interrupted else f"Stopped by {stopped[0]}: nothing was measured.",
            meaning="" if interrupted else "A launcher does so to all ranks that are left when one of them ends.",
        )
        if self._rank == 0:
            self._end(error)
        self._send(0, {"meeting": self._meeting + 1, "error": _packed(error)})
        self._deadline = time.monotonic() + _GRACE  # so that rank 0 may say what happened, and end first

    def _receive(self, peer: int) -> bool:
        """False at the end of the connection."""
        try:
            received = self._peers[peer].recv(2**16)
        except OSError:
            received = b""
        *lines, self._received[peer] = (self._received[peer] + received).split(b"\n")
        for line in lines:
            self._hear(peer, json.loads(line))
        return bool(received)

    def _hear(self, peer: int, message: dict[str, Any]) -> None:
        if "bye" in message:
            self._gone.add(peer)
        elif "end" in message:
            os._exit(message["end"])
        elif "met" in message:
            self._have_met(message["met"])
        else:
            self._posts[peer] = (message["meeting"], message["error"])

    def _lost(self, peer: int) -> None:
        if peer in self._gone:
            if peer == 0:
                self._closed.set()
            return
        if self._posts.get(peer, (0, None))[1] is None:  # else it has said why, and the others have their grace
            self._end(
                NotMeasuredError(
                    f"Rank {peer} ended without a word: nothing was measured.",
                    meaning="It was killed, often because memory ran out on its machine, or it crashed, or the "
                    "network was cut.",
                    change="Look at the system's log there. Use more ranks, a smaller --batch-size, or --dtype "
                    "bfloat16 where it was memory.",
                )
            )

    def _decide(self) -> None:
        late = self._deadline is not None and time.monotonic() >= self._deadline
        if self._rank != 0:
            if late:
                os._exit(ExitCode.NOT_MEASURED)
            return
        with self._changed:
            posts = {peer: error for peer, (meeting, error) in self._posts.items() if meeting == self._met + 1}
        failed = {peer: error for peer, error in sorted(posts.items()) if error is not None}
        complete = len(posts) == len(self._peers) + 1
        if complete and len(failed) in (0, len(posts)):
            for peer in self._peers:
                self._send(peer, {"met": self._met + 1})
            self._have_met(self._met + 1)
        elif failed and (complete or late):
            peer, error = next(iter(failed.items()))
            self._end(_unpacked(error, "" if peer == 0 else f"Rank {peer}: "), error["code"])
        elif failed and self._deadline is None:
            self._deadline = time.monotonic() + _GRACE

    def _have_met(self, meeting: int) -> None:
        with self._changed:
            self._met, self._deadline = meeting, None
            self._changed.notify_all()

    def _send(self, peer: int, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # it has ended, which the thread hears as well
            self._peers[peer].sendall(json.dumps(message).encode() + b"\n")

    def _end(self, error: PadcheckError, exit_code: int = ExitCode.NOT_MEASURED) -> NoReturn:
        """Ends the process from the thread, wherever the main one is."""
        if sys.__stderr__ is not None:
            said = "".join(each if each.isprintable() or each == "\n" else "?" for each in str(error))
            sys.__stderr__.write(f"padcheck: {said}\n")
            sys.__stderr__.flush()
        for peer in self._peers:
            self._send(peer, {"end": exit_code})
        os._exit(exit_code)


def _noted(_number: int, _frame: object) -> None:
    """Keeps a signal from ending the process: the thread does, once it has been said why."""


def _packed(error: PadcheckError) -> dict[str, Any]:
    return {"what": error.what, "meaning": error.meaning, "change": error.change, "code": int(error.exit_code)}


def _unpacked(error: dict[str, Any], prefix: str) -> PadcheckError:
    return PadcheckError(prefix + error["what"], meaning=error["meaning"], change=error["change"])
