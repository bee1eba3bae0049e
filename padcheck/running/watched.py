"""Watches a program, or a part of one, and judges what was seen: `padcheck run` and `padcheck.watch`."""

import linecache
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

if TYPE_CHECKING:
    from padcheck.watching.watcher import Watcher
    from padcheck.watching.widening import Widening


class Watched:
    """What was seen so far.

    Attributes:
        findings: The mistakes, in the order in which they were seen.
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
    ) -> None:
        """Prepares to watch.

        Args:
            judgement: Which codes count, and which severity fails.
            every_call: Check every call, and not only the first ones at each line.
            widen: How many more pad columns each padded batch gets that leaves a tokenizer.
            known: The mistakes that a baseline accepts. Each one accepts one line.
            found: Receives each finding as it is made, unless it is known.

        Raises:
            UsageError: The judgement names a code that does not exist.
        """
        require_known_codes(judgement, ALL_CODES)
        self.findings: list[CallerFinding] = []
        self.suppressed: list[Suppressed] = []
        self._judgement = judgement
        self._every_call = every_call
        self._widen = widen
        self._known = list(known)
        self._found = found
        self._widened: Widened | None = None
        self._widening: Widening | None = None
        self._watcher: Watcher | None = None

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
        with ExitStack() as stack:

            def begin() -> None:
                from padcheck.watching.places import declare_user_file
                from padcheck.watching.watcher import Watcher
                from padcheck.watching.widening import Widening

                for file in declared:
                    declare_user_file(file)
                if self._watcher is None:
                    self._watcher = Watcher(self._judge, every_call=self._every_call)
                    self._widening = Widening(self._widen)
                if self._widen and self._widening is not None:
                    stack.enter_context(self._widening.active())  # before the watcher, which sees the wider batch
                stack.enter_context(self._watcher.watching())

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

        calls = WatchedCalls() if self._watcher is None else self._watcher.calls
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
            notes=() if self._watcher is None else tuple(self._watcher.notes),
            widened=self._widened,
        )

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
        if (known := baseline.accepted(finding, self._known)) is not None:
            self._known.remove(known)
            finding = msgspec.structs.replace(finding, known=True)
        self.findings.append(finding)
        if self._found is not None and not finding.known:
            self._found(finding)


def _shown(file: str) -> str:
    """A file, as seen from the root of its repository; the cell of a notebook, which is no file, as it is."""
    return from_repository_root(Path(file)) if Path(file).is_file() else file
