"""Watches a program, or a part of one, and judges what was seen: `padcheck run` and `padcheck.watch`."""

import linecache
import multiprocessing.util
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from padcheck.core.faults import Fault, WatchedCalls
from padcheck.core.report import STATUS
from padcheck.core.repository import from_repository_root
from padcheck.core.run_report import CallerFinding, Run, Suppressed
from padcheck.core.settings import JudgeSettings
from padcheck.judging import comments
from padcheck.judging.caller_rule import CallerRule, exit_code_of
from padcheck.judging.caller_rules import ALL_CODES, find_code
from padcheck.judging.judge import require_known_codes
from padcheck.running.after_import import after_import
from padcheck.running.processes import Processes, in_spawned_children

if TYPE_CHECKING:
    from padcheck.watching.watcher import Watcher


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
        found: Callable[[CallerFinding], None] | None = None,
        processes: Processes | None = None,
    ) -> None:
        """Prepares to watch.

        Args:
            judgement: Which codes count, and which severity fails.
            every_call: Check every call, and not only the first ones at each line.
            found: Receives each finding as it is made.
            processes: The processes of the program; this one and its children if it is None.

        Raises:
            UsageError: The judgement names a code that does not exist.
        """
        require_known_codes(judgement, ALL_CODES)
        self._findings: list[CallerFinding] = []
        self.suppressed: list[Suppressed] = []
        self._judgement = judgement
        self._every_call = every_call
        self._found = found
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
        return [finding for finding in self.findings if self._judgement.fails(finding.severity)]

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

                for file in declared:
                    declare_user_file(file)
                stack.enter_context(self._made_watcher().watching())

            stack.enter_context(in_spawned_children(_watch_child, *child))
            stack.enter_context(after_import("transformers", begin))
            yield

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
        source = linecache.getline(fault.place.file, fault.place.line).strip()
        finding = rule.finding(fault, _shown(fault.place.file), source)
        reason = comments.accepted(fault.code, source)
        if reason is not None:
            self.suppressed.append(Suppressed(code=fault.code, file=finding.file, line=finding.line, reason=reason))
            return
        known = next((each for each in self._findings if _is_same(each, finding)), None)
        if known is not None:  # another rank has found it too
            ranks = tuple(sorted({*known.ranks, *finding.ranks}))
            self._findings[self._findings.index(known)] = msgspec.structs.replace(known, ranks=ranks)
            return
        self._findings.append(finding)
        if self._found is not None:
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
