"""The pytest plugin: the fixture `padcheck`, and two options.

--padcheck checks a model without a test file. --padcheck-watch watches the tests themselves, like `padcheck run`.
"""

from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from padcheck.api import Report
    from padcheck.hf.in_memory import Model, Tokenizer
    from padcheck.judging.baseline import Baseline
    from padcheck.running.many_models import Job


class Wanted(NamedTuple):
    """The models of --padcheck, and the baseline."""

    jobs: "Sequence[Job]"
    baseline: "Baseline"


_WANTED = pytest.StashKey[Wanted]()


class Padcheck:
    """The fixture `padcheck`. Its methods take the options of `padcheck.compare`."""

    @staticmethod
    def compare(
        model: "Model", tokenizer: "Tokenizer", prompts: Sequence[str] | None = None, **options: Any
    ) -> "Report":
        """Returns the report, and never fails because of a finding."""
        from padcheck import compare

        return compare(model, tokenizer, prompts, **options)

    def assert_padding_invariant(
        self,
        model: "Model",
        tokenizer: "Tokenizer",
        prompts: Sequence[str] | None = None,
        **options: Any,
    ) -> None:
        """Fails with the short report if padding changes what the model says, or if nothing could be measured.

        Raises:
            AssertionError: The model does not pass.
            UsageError: An option is out of range, or does not fit this model or tokenizer.
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
    """Checks a model in memory: `padcheck.assert_padding_invariant(model, tokenizer)`."""
    return Padcheck()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options --padcheck and --padcheck-watch."""
    group = parser.getgroup("padcheck")
    group.addoption(
        "--padcheck-watch",
        action="store_true",
        dest="padcheck_watch",
        help="watch what each test does with a padded batch, and fail a test whose code makes a padding mistake.",
    )
    group.addoption(
        "--padcheck",
        action="append",
        default=[],
        dest="padcheck_models",
        metavar="MODEL",
        help="also check what padding does to this model: a hub id, a folder or demo. Can be given several times. "
        "The settings come from padcheck.toml, or [tool.padcheck] in pyproject.toml, in the rootdir.",
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """With --padcheck-watch, watches a test and fails it if a finding is an error."""
    if not item.config.getoption("padcheck_watch"):
        return (yield)
    from padcheck.core.settings import JudgeSettings
    from padcheck.reporters.run.wording import one_line
    from padcheck.running.watched import Watched

    watched = Watched(JudgeSettings())
    with watched.watching():
        outcome = yield
    if watched.failing:
        pytest.fail("\n".join(map(one_line, watched.failing)), pytrace=False)
    return outcome


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


@pytest.hookimpl(tryfirst=True)  # first, so that -k, --last-failed and the like see these tests
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Adds one test per model of --padcheck."""
    wanted = config.stash.get(_WANTED, None)
    if wanted is not None:
        models = ModelCollector.from_parent(session, name="padcheck", nodeid="padcheck", wanted=wanted)
        items.extend(session.genitems(models))


class ModelCollector(pytest.Collector):
    """The parent of the tests of --padcheck, in place of a test file."""

    def __init__(self, *, wanted: Wanted, **node: Any) -> None:
        super().__init__(**node)
        self._wanted = wanted

    def collect(self) -> "Iterator[ModelItem]":
        """One test per model."""
        for job in self._wanted.jobs:
            yield ModelItem.from_parent(self, name=job.measure.model, job=job, baseline=self._wanted.baseline)


class ModelItem(pytest.Item):
    """The test of one model of --padcheck."""

    def __init__(self, *, job: "Job", baseline: "Baseline", **node: Any) -> None:
        super().__init__(**node)
        self._job = job
        self._baseline = baseline

    def runtest(self) -> None:
        """Runs `padcheck check` on the model, and fails with the short report."""
        from padcheck.core.errors import PadcheckError
        from padcheck.core.progress import Silent
        from padcheck.reporters import View
        from padcheck.reporters.report import short
        from padcheck.running import many_models

        message = None
        try:
            [report] = many_models.check([self._job], self._baseline, Silent()).reports
        except PadcheckError as error:
            message = str(error)
        if message is not None:  # outside of the except block, or pytest would show both errors
            pytest.fail(message, pytrace=False)
        if report.status != "pass":
            trace = getattr(report, "traceback", None) or ""  # only if it is a bug in padcheck
            pytest.fail(short.render(report, View(width=100)) + trace, pytrace=False)

    def reportinfo(self) -> tuple[Path, None, str]:
        """The headline of a failure is the name that --verbose shows. The test has no file and no line."""
        return self.path, None, self.nodeid
