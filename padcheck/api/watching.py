"""The Python API of watching: `padcheck.watch`."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ContextDecorator, ExitStack
from typing import Any

from padcheck.api.options import NO_REASONS, FailOn, judge_settings
from padcheck.core.errors import UsageError
from padcheck.core.recording import Recording
from padcheck.core.run_report import CallerFinding, Run
from padcheck.judging.same_output import compare
from padcheck.reporters.run.wording import conclusion, one_line
from padcheck.running.recorder import Recorder, give_result
from padcheck.running.watched import Watched


class watch(ContextDecorator):  # noqa: N801  used like a function
    """Watches the calls of transformers in this context, or in the function that it decorates, like `padcheck run`.

    Each padding mistake is printed to stderr when it is seen. Results of tensors are followed in the thread that enters
    the context.

        >>> from padcheck.demo import MODEL_FOLDER
        >>> from transformers import AutoModelForCausalLM, AutoTokenizer
        >>> model = AutoModelForCausalLM.from_pretrained(MODEL_FOLDER)
        >>> tokenizer = AutoTokenizer.from_pretrained(MODEL_FOLDER, pad_token="<|endoftext|>")
        >>> with watch() as watched:
        ...     batch = tokenizer(["Monday", "one two"], padding=True, padding_side="left", return_tensors="pt")
        ...     output = model.generate(**batch, max_new_tokens=2)
        >>> watched.findings
        []

    Padding must not change a result. Compare one with wider batches, which takes two runs of the same code:

        with watch() as plain:
            plain.result("scores", score(texts))
        with watch(widen=3) as wider:
            wider.result("scores", score(texts))
        wider.assert_same_results(plain)

    Args:
        every_call: Check every call, and not only the first three at each line.
        widen: How many more pad columns each padded batch gets that leaves a tokenizer in this context.
        select: The codes that count, or prefixes of codes. All codes count if it is empty.
        ignore: The reason for each code, or prefix of codes, that does not count.
        fail_on: The lowest severity at which `assert_ok` fails. None if no finding does.

    Raises:
        UsageError: An argument has the wrong type, or names a code that does not exist.
    """

    def __init__(
        self,
        *,
        every_call: bool = False,
        widen: int = 0,
        select: Sequence[str] = (),
        ignore: Mapping[str, str] = NO_REASONS,
        fail_on: FailOn | None = "error",
    ) -> None:
        judgement = judge_settings(select, ignore, fail_on=fail_on)
        self.widen = _columns(widen)
        self._watched = Watched(judgement, every_call=every_call, widen=self.widen, found=_print_finding)
        self._stack = ExitStack()
        self._recorder = Recorder()

    def __enter__(self) -> "watch":
        self._stack.enter_context(self._watched.watching())
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    @property
    def findings(self) -> list[CallerFinding]:
        """The mistakes that were seen so far."""
        return list(self._watched.findings)

    @property
    def report(self) -> Run:
        """Everything that was seen so far."""
        return self._watched.document()

    @property
    def results(self) -> Recording:
        """The results that were given so far, as text, and how many batches were wider."""
        return self._recorder.recorded(widened=self._watched.widened_batches)

    def result(self, name: str, value: Any) -> None:
        """Keeps a result, to compare it with that of another run. `padcheck run --widen` compares it too.

        Args:
            name: Its name.
            value: A number, a text, a tensor, an array, or a list or dict of these.

        Raises:
            UsageError: The value is something else.
        """
        self._recorder.result(name, value)
        give_result(name, value)

    def assert_same_results(self, plain: "watch") -> None:
        """Does nothing if the results of this context, with wider batches, are those of another one within rounding.

        Args:
            plain: A context without `widen`, in which the same code has run.

        Raises:
            AssertionError: A result differs, no result was given, or no batch was made wider.
            UsageError: The contexts cannot be compared: this one has no `widen`, or the other one has.
        """
        __tracebackhide__ = True
        if not self.widen or plain.widen:
            raise UsageError(
                "Results are compared between watch(), and watch(widen=N).",
                change="Run the same code in both contexts: `wider.assert_same_results(plain)`.",
            )
        found = compare(plain.results, plain.results, [self.results], self.widen, self._watched.dtype)
        if not found.values or not found.batches:
            raise AssertionError("NOTHING COMPARED: no result was given, or no padded batch left a tokenizer")
        if found.differences:
            lines = [f"{each.said.label}: {each.plain!r} becomes {each.widened!r}" for each in found.differences]
            raise AssertionError("\n".join((f"{len(lines)} values differ with wider batches", *lines)))

    def __repr__(self) -> str:
        return f"<padcheck.watch: {conclusion(self.report)}>"

    def assert_ok(self) -> None:
        """Does nothing if calls of a model were watched and no finding is at or above `fail_on`.

        Raises:
            AssertionError: There is such a finding, or nothing was watched. The message has one line per finding.
        """
        __tracebackhide__ = True
        if self.report.status != "pass":
            lines = [one_line(finding) for finding in self._watched.failing]
            raise AssertionError("\n".join((conclusion(self.report), *lines)))


def _columns(widen: object) -> int:
    if not isinstance(widen, int) or isinstance(widen, bool) or widen < 0:
        raise UsageError(f"widen is {widen!r}.", change="Give a whole number of columns, 0 or more.")
    return widen


def _print_finding(finding: CallerFinding) -> None:
    sys.stderr.write(f"padcheck: {one_line(finding)}\n")
