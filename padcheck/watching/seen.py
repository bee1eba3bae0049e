"""What was seen in the program: counted calls, mistakes and notes. They go to the process that makes the report."""

from collections import Counter
from collections.abc import Callable
from threading import get_ident

from padcheck.core.faults import CodePlace, Fault, WatchedCalls
from padcheck.watching.checks import Proven
from padcheck.watching.workers import Counted, Found, Noted, Workers, current_rank


class Seen:
    """What this process saw, and in the process that makes the report, what the others saw.

    Attributes:
        notes: What could not be checked.
    """

    def __init__(self, report: Callable[[Fault], None], workers: Workers) -> None:
        """Prepares to collect.

        Args:
            report: Receives each fault, once for each code, line and rank.
            workers: The processes of the program.
        """
        self.notes: dict[str, None] = {}
        self._report = report
        self._workers = workers
        # By thread, because two threads that add to one number may lose a call. A lock could be held during a fork.
        self._counts: Counter[tuple[int, str]] = Counter()
        self._faults: set[tuple[str, CodePlace, int | None]] = set()

    @property
    def calls(self) -> WatchedCalls:
        """How many calls were watched so far."""
        counts: Counter[str] = Counter()
        for (_, kind), number in list(self._counts.items()):
            counts[kind] += number
        return WatchedCalls(**counts)

    def collect(self) -> None:
        """Takes over what the other processes saw."""
        for each in self._workers.seen():
            if isinstance(each, Counted):
                self._counts[get_ident(), each.kind] += each.number
            elif isinstance(each, Noted):
                self.note(each.text)
            else:
                self._take(each.fault)

    def count(self, kind: str, number: int = 1) -> None:
        """Counts calls of this kind."""
        self._counts[get_ident(), kind] += number
        if number:
            self._workers.tell(Counted(kind, int(number)))

    def note(self, text: str) -> None:
        """Something could not be checked."""
        if text not in self.notes:
            self.notes[text] = None
            self._workers.tell(Noted(text))

    def found(self, proven: Proven | None, place: CodePlace | None) -> None:
        """A mistake, if there is one, at a line of the user's code; without a line, nothing is said."""
        if proven is not None and place is not None:
            self._take(Fault(code=proven.code, place=place, facts=proven.facts, rank=current_rank()))

    def _take(self, fault: Fault) -> None:
        key = fault.code, fault.place, fault.rank
        if key in self._faults:
            return
        self._faults.add(key)
        if self._workers.is_reporting:
            self._report(fault)
        else:
            self._workers.tell(Found(fault))
