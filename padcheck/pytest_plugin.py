"""What padcheck adds to pytest: the fixture `padcheck`, and `pytest --padcheck MODEL` without any test file."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from padcheck.api import Report
    from padcheck.hf.in_memory import Model, Tokenizer
    from padcheck.judging.baseline import Baseline
    from padcheck.running.many_models import Job


class Wanted(NamedTuple):
    """The models of --padcheck, and what a baseline knows of them."""

    jobs: "Sequence[Job]"
    baseline: "Baseline"


_WANTED = pytest.StashKey[Wanted]()


class Padcheck:
    """What the fixture `padcheck` is; the options are those of `padcheck.compare`."""

    @staticmethod
    def compare(
        model: "Model", tokenizer: "Tokenizer", prompts: Sequence[str] | None = None, **options: Any
    ) -> "Report":
        """What padding changes, to look at; nothing fails."""
        from padcheck.api import compare

        return compare(model, tokenizer, prompts, **options)

    def assert_padding_invariant(
        self,
        model: "Model",
        tokenizer: "Tokenizer",
        prompts: Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        """Fails with the short report where padding changes what the model says, or where nothing could be measured.

        Raises:
            AssertionError: It does not pass.
            UsageError: An option is out of its range, or does not fit this model or tokenizer.
        """
        __tracebackhide__ = True
        from padcheck.core.errors import NotMeasuredError

        try:
            report = self.compare(model, tokenizer, prompts, **options)
        except NotMeasuredError as error:
            raise AssertionError(f"NOT MEASURED: {error}") from None
        report.assert_ok()


@pytest.fixture(name="padcheck", scope="session")
def padcheck_fixture() -> Padcheck:
    """Checks models that a test has in memory: `padcheck.assert_padding_invariant(model, tokenizer)`."""
    return Padcheck()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds --padcheck."""
    parser.getgroup("padcheck").addoption(
        "--padcheck",
        action="append",
        default=[],
        dest="padcheck_models",
        metavar="MODEL",
        help="also check what padding does to this model: a hub id, a folder, or demo. May be given several times. "
        "Settings are those of padcheck.toml, or [tool.padcheck] in pyproject.toml, of the rootdir.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Reads the settings before anything is collected, and before pytest-xdist starts its workers."""
    models = config.getoption("padcheck_models")
    if not models:
        return
    from padcheck.cli import config_file
    from padcheck.core.errors import UsageError
    from padcheck.judging import baseline

    try:
        configured = config_file.read(None, config.rootpath)
        known = baseline.read(configured.baseline, may_be_new=False)
        config.stash[_WANTED] = Wanted(configured.jobs(models, {}), known)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.hookimpl(tryfirst=True)  # so that -k, --last-failed and the like have a say
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Adds one test for each model of --padcheck."""
    wanted = config.stash.get(_WANTED, None)
    if wanted is not None:
        models = ModelCollector.from_parent(session, name="padcheck", nodeid="padcheck", wanted=wanted)
        items.extend(session.genitems(models))


class ModelCollector(pytest.Collector):
    """Stands above the models of --padcheck, where a test has its file."""

    def __init__(self, *, wanted: Wanted, **node: Any) -> None:
        super().__init__(**node)
        self._wanted = wanted

    def collect(self) -> "Iterator[ModelItem]":
        """One test a model."""
        for job in self._wanted.jobs:
            yield ModelItem.from_parent(self, name=job.measure.model, job=job, baseline=self._wanted.baseline)


class ModelItem(pytest.Item):
    """A model of --padcheck."""

    def __init__(self, *, job: "Job", baseline: "Baseline", **node: Any) -> None:
        super().__init__(**node)
        self._job = job
        self._baseline = baseline

    def runtest(self) -> None:
        """Measures and judges it, as `padcheck check` does; the short report says why it does not pass."""
        from padcheck.core.errors import PadcheckError
        from padcheck.core.progress import Silent
        from padcheck.reporters import View
        from padcheck.reporters.report import short
        from padcheck.running import many_models

        wrong = None
        try:
            [report] = many_models.check([self._job], self._baseline, Silent()).reports
        except PadcheckError as error:
            wrong = str(error)
        if wrong is not None:  # not from in there, or pytest would show both
            pytest.fail(wrong, pytrace=False)
        if report.status != "pass":
            trace = getattr(report, "traceback", None) or ""  # where it is a bug in padcheck
            pytest.fail(short.render(report, View(width=100)) + trace, pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:
        """No line of any file; in the headline of a failure stands what --verbose calls it."""
        return self.path, None, self.nodeid
