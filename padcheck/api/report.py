"""The report that the Python API returns: asserts, shows itself in a notebook, and turns into text, files or dicts."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from padcheck.api.options import NO_REASONS, FailOn, judge_changes
from padcheck.core import report
from padcheck.core.errors import UsageError
from padcheck.core.run_results import Row
from padcheck.core.verdicts import Verdict
from padcheck.judging.judge import rejudge
from padcheck.reporters import Format, View, render
from padcheck.reporters.report import short
from padcheck.reporters.report.wording.conclusion import conclusion

_VIEW = View(width=100)

_FORMATS = {
    ".html": Format.HTML,
    ".json": Format.JSON,
    ".md": Format.MARKDOWN,
    ".svg": Format.SVG,
    ".sarif": Format.SARIF,
    ".txt": Format.TABLE,
    ".xml": Format.JUNIT,
}
"""The format of a file, by its suffix."""

_COMPARED = ("verdict", "max_abs_diff", "max_kl", "allowed", "first_different_token", "reason")
"""What `to_dicts` gives of a row's comparison."""


class Report(report.Report, frozen=True, kw_only=True):
    """What padding changes, with methods for notebooks and tests. `str()` gives the short report.

    Attributes:
        status: "pass", "fail" or "not_measured".
        findings: The findings, most severe first, each with `code`, `severity`, `message` and `fix`.
        comparisons: By the name of the run: its verdict, and how far its logits are from its reference.
        advice: How to pad for generating, scoring and training.
        evidence: What was measured: rows, masks, position_ids, warnings.
        seconds: Seconds by stage.
    """

    def assert_ok(
        self,
        *,
        fail_on: FailOn | None = None,
        ignore: Mapping[str, str] = NO_REASONS,
    ) -> None:
        """Does nothing if the status is "pass".

        Args:
            fail_on: The lowest severity that fails. None for the one that the report was judged with.
            ignore: The reason for each code, or prefix of codes, that does not count, in addition to those that the
                report was judged with.

        Raises:
            AssertionError: There is a finding at or above `fail_on`, or nothing could be measured. The message is the
                short report.
            UsageError: An option has the wrong type, or a code does not exist.
        """
        __tracebackhide__ = True
        judged = rejudge(self, changes) if (changes := judge_changes(self.judgement, fail_on, ignore)) else self
        if judged.status != "pass":
            raise AssertionError(short.render(judged, _VIEW).rstrip())

    def to_json(self) -> str:
        """The report as JSON, as `--format json` writes it. `padcheck render` reads it."""
        return render(self, Format.JSON, _VIEW)

    def to_html(self) -> str:
        """The report as a whole HTML page that loads nothing."""
        return render(self, Format.HTML, _VIEW)

    def to_markdown(self) -> str:
        """The report as GitHub markdown, for an issue or a pull request."""
        return render(self, Format.MARKDOWN, _VIEW)

    def save(self, path: str | Path) -> None:
        """Writes the report to a file, in the format of the file's suffix.

        Args:
            path: A file that ends in .html, .json, .md, .sarif, .svg, .txt, or .xml for JUnit.

        Raises:
            UsageError: The suffix is another one.
            OSError: The file cannot be written.
        """
        path = Path(path)
        if path.suffix not in _FORMATS:
            raise UsageError(f"{path} has no suffix that names a format.", change=f"Use one of {', '.join(_FORMATS)}.")
        path.write_text(render(self, _FORMATS[path.suffix], _VIEW), encoding="utf-8")

    def to_dicts(self) -> list[dict[str, object]]:
        """One flat dict per run and prompt: `pandas.DataFrame(report.to_dicts())`.

        The keys are model, run, reference, prompt_index, prompt, num_pad_tokens, new_text, verdict, max_abs_diff and
        allowed (both in logits), max_kl (in nats), first_different_token (from 0) and reason. What was not compared
        is None. After `inspect_tokenizer` there is one dict per side and prompt, and nothing is compared.
        """
        return [self._as_dict(run, row) for run, rows in self._rows() for row in rows]

    def _rows(self) -> Iterator[tuple[str, tuple[Row, ...]]]:
        runs: Mapping[Any, Any] = self.evidence.runs or self.evidence.samples
        for name, run in runs.items():
            yield name, run.rows

    def _as_dict(self, run: str, row: Row) -> dict[str, object]:
        comparison = self.comparisons.get(run)
        rows = comparison.rows if comparison is not None else ()
        compared = next((each for each in rows if each.prompt_index == row.prompt_index), None)
        return {
            "model": self.evidence.model.id,
            "run": run,
            "reference": comparison.reference if compared is not None and comparison is not None else None,
            "prompt_index": row.prompt_index,
            "prompt": self.evidence.prompts[row.prompt_index],
            "num_pad_tokens": row.num_pad_tokens,
            "new_text": row.new_text,
            **{key: _plain(getattr(compared, key, None)) for key in _COMPARED},
        }

    def __repr__(self) -> str:
        return f"<padcheck.Report of {self.evidence.model.id!r}: {conclusion(self)}>"

    def __str__(self) -> str:
        return short.render(self, _VIEW).rstrip()

    def _repr_html_(self) -> str:
        """The verdict and the findings, for the output of a notebook's cell."""
        from padcheck.reporters.html import render_summary  # noqa: PLC0415  jinja2 is only for notebooks and pages

        return render_summary(self)


def _plain(value: object) -> object:
    return value.value if isinstance(value, Verdict) else value
