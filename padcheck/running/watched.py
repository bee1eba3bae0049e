"""Watches a program, or a part of one, and judges what was seen: `padcheck run` and `padcheck.watch`."""

import linecache
import multiprocessing.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from padcheck.core.faults import CodePlace, Fault, WatchedCalls
from padcheck.core.recording import Difference, Widened
from padcheck.core.report import STATUS
from padcheck.core.repository import from_repository_root
from padcheck.core.run_report import CallerFinding, KnownLine, Run, Suppressed
from padcheck.core.settings import JudgeSettings
from padcheck.core.tolerances import DTYPES, known_dtype
from padcheck.judging import baseline, comments
from padcheck.judging.caller_rule import CallerRule, exit_code_of
from padcheck.judging.caller_rules import ALL_CODES, find_code
from padcheck.judging.judge import require_known_codes
from padcheck.running.after_import import after_import
from padcheck.running.processes import Processes, in_spawned_children

if TYPE_CHECKING:
    from padcheck.watching.watcher import Watcher
    from padcheck.watching.widening import Widening


class Watched:
    """What was seen so far.

    Attributes:
        suppressed: Those that comments accept.
    """

    def __init__(
        self,
        judgement: JudgeSettings,
        *,
        every_call: bool = False,
        widen: int = 0,
        known: Sequence[KnownLine] = (),
        found: Callable[[CallerFinding], None] | None = None,
        processes: Processes | None = None,
    ) -> None:
        """Prepares to watch.

        Args:
            judgement: Which codes count, and which severity fails.
            every_call: Check every call, and not only the first ones at each line.
            widen: How many more pad columns each padded batch gets that leaves a tokenizer.
            known: The mistakes that a baseline accepts. Each one accepts one line.
            found: Receives each finding as it is made, unless it is known.
            processes: The processes of the program; this one and its children if it is None.

        Raises:
            UsageError: The judgement names a code that does not exist.
        """
        require_known_codes(judgement, ALL_CODES)
        self._findings: list[CallerFinding] = []
        self.suppressed: list[Suppressed] = []
        self._judgement = judgement
        self._every_call = every_call
        self._widen = widen
        self._known = list(known)
        self._found = found
        self._widened: Widened | None = None
        self._widening: Widening | None = None
        self._processes = processes or Processes()
        self._notes: list[str] = []
        self._watcher: Watcher | None = None

    @property
    def findings(self) -> list[CallerFinding]:
        """The mistakes, in the order in which they were seen."""
        self._collect()
        return self._findings

    @property
    def failing(self) -> list[CallerFinding]:
        """The findings that make a command fail."""
        return [each for each in self.findings if self._judgement.fails(each.severity) and not each.known]

    @contextmanager
    def watching(self, *declared: str) -> Iterator[None]:
        """Within the context, calls of transformers are watched, from the moment at which it is imported.

        Args:
            declared: Files that count as the user's even if they are installed as a library.
        """
        shared = self._processes
        child = shared.folder, shared.owner, self._judgement, self._every_call, declared
        with ExitStack() as stack:

            def begin() -> None:
                from padcheck.watching.places import declare_user_file
                from padcheck.watching.widening import Widening

                for file in declared:
                    declare_user_file(file)
                if self._widening is None:
                    self._widening = Widening(self._widen)
                if self._widen:
                    stack.enter_context(self._widening.active())  # before the watcher, which sees the wider batch
                stack.enter_context(self._made_watcher().watching())

            stack.enter_context(in_spawned_children(_watch_child, *child))
            stack.enter_context(after_import("transformers", begin))
            yield

    @property
    def widened_batches(self) -> int:
        """How many batches left a tokenizer wider than asked for."""
        return 0 if self._widening is None else self._widening.batches

    @property
    def dtype(self) -> str:
        """The least exact dtype in which the models calculated."""
        used = set() if self._watcher is None else self._watcher.dtypes
        return max(map(known_dtype, used), key=DTYPES.index, default="float32")

    def compared(self, widened: Widened, script: str) -> None:
        """Reports each line of code that says something else with wider batches.

        Args:
            widened: The comparison.
            script: The file of the program, for what no line of code is known to say.
        """
        self._widened = widened
        first = next(
            (f" The first mistake found is {each.code} at {each.file}:{each.line}." for each in self.findings), ""
        )
        places: dict[CodePlace, list[Difference]] = {}
        for each in widened.differences:
            place = CodePlace(file=each.said.file or script, line=each.said.line or 1)
            places.setdefault(place, []).append(each)
        for place, differences in places.items():
            shown = differences[0]
            facts: dict[str, object] = {"plain": shown.plain, "widened": shown.widened, "label": shown.said.label}
            facts |= {"column": shown.column, "columns": widened.columns, "values": len(differences), "cause": first}
            self._judge(Fault(code="PAD523", place=place, facts=facts))

    def document(self, script: str = "", argv: tuple[str, ...] = (), script_exit_code: int = 0) -> Run:
        """The report on everything that was seen.

        Args:
            script: The program.
            argv: Its arguments.
            script_exit_code: Its exit code.
        """
        from padcheck.hf.library.versions import environment

        self._collect()
        calls = WatchedCalls() if self._watcher is None else self._watcher.seen.calls
        exit_code = exit_code_of(self.findings, calls, self._judgement)
        return Run(
            status=STATUS[exit_code],
            exit_code=exit_code,
            script=script,
            argv=argv,
            script_exit_code=script_exit_code,
            judgement=self._judgement,
            environment=environment(),
            calls=calls,
            findings=tuple(sorted(self.findings, key=lambda finding: (finding.file, finding.line, finding.code))),
            suppressed=tuple(self.suppressed),
            notes=(*self._notes, *(() if self._watcher is None else self._watcher.seen.notes)),
            widened=self._widened,
        )

    def wait(self) -> None:
        """Waits for the other ranks of the program, if this one reports what they saw."""
        self._notes += self._processes.wait()

    def _made_watcher(self) -> "Watcher":
        if self._watcher is None:
            from padcheck.watching.watcher import Watcher
            from padcheck.watching.workers import Workers

            shared = self._processes
            workers = Workers(shared.folder, shared.owner, reports=shared.reports)
            self._watcher = Watcher(self._judge, workers, every_call=self._every_call)
        return self._watcher

    def _collect(self) -> None:
        """Takes over what other processes of the program saw, also if this one has not imported transformers."""
        if self._processes.has_seen:
            self._made_watcher().seen.collect()

    def _judge(self, fault: Fault) -> None:
        """Turns a fault into a finding, unless its code does not count or a comment accepts it."""
        rule = find_code(fault.code)
        if self._judgement.left_out(fault.code) is not None or not isinstance(rule, CallerRule):
            return
        linecache.checkcache(fault.place.file)  # a program that ran before in this process may have had another text
        source = linecache.getline(fault.place.file, fault.place.line).strip()
        finding = rule.finding(fault, _shown(fault.place.file), source)
        reason = comments.accepted(fault.code, source)
        if reason is not None:
            self.suppressed.append(Suppressed(code=fault.code, file=finding.file, line=finding.line, reason=reason))
            return
        same = next((each for each in self._findings if _is_same(each, finding)), None)
        if same is not None:  # another rank has found it too
            ranks = tuple(sorted({*same.ranks, *finding.ranks}))
            self._findings[self._findings.index(same)] = msgspec.structs.replace(same, ranks=ranks)
            return
        if (known := baseline.accepted(finding, self._known)) is not None:
            self._known.remove(known)
            finding = msgspec.structs.replace(finding, known=True)
        self._findings.append(finding)
        if self._found is not None and not finding.known:
            self._found(finding)


def _is_same(first: CallerFinding, second: CallerFinding) -> bool:
    return (first.code, first.file, first.line) == (second.code, second.file, second.line)


def _watch_child(
    folder: Path, owner: int, judgement: JudgeSettings, every_call: bool, declared: tuple[str, ...]
) -> None:
    """Watches a process that the program has spawned, until it ends. What is found is written into the folder."""
    if not folder.is_dir():  # the program is no longer watched
        return
    watched = Watched(judgement, every_call=every_call, processes=Processes(folder, owner))
    _OF_CHILD.enter_context(watched.watching(*declared))
    # multiprocessing ends a process without Python's own exit.
    multiprocessing.util.Finalize(None, _OF_CHILD.close, exitpriority=1)


_OF_CHILD = ExitStack()
"""Open as long as this process, if it was spawned by a watched one."""


def _shown(file: str) -> str:
    """A file, as seen from the root of its repository; the cell of a notebook, which is no file, as it is."""
    return from_repository_root(Path(file)) if Path(file).is_file() else file
