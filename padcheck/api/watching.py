"""The Python API of watching: `padcheck.watch`."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import ContextDecorator, ExitStack

from padcheck.api.options import NO_REASONS, FailOn, judge_settings
from padcheck.core.run_report import CallerFinding, Run
from padcheck.reporters.run.wording import conclusion, one_line
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

    Args:
        every_call: Check every call, and not only the first three at each line.
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
        select: Sequence[str] = (),
        ignore: Mapping[str, str] = NO_REASONS,
        fail_on: FailOn | None = "error",
    ) -> None:
        judgement = judge_settings(select, ignore, fail_on=fail_on)
        self._watched = Watched(judgement, every_call=every_call, found=_print_finding)
        self._stack = ExitStack()

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

    def assert_ok(self) -> None:
        """Does nothing if calls of a model were watched and no finding is at or above `fail_on`.

        Raises:
            AssertionError: There is such a finding, or nothing was watched. The message has one line per finding.
        """
        __tracebackhide__ = True
        if self.report.status != "pass":
            lines = [one_line(finding) for finding in self._watched.failing]
            raise AssertionError("\n".join((conclusion(self.report), *lines)))


def _print_finding(finding: CallerFinding) -> None:
    sys.stderr.write(f"padcheck: {one_line(finding)}\n")
