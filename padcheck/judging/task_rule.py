"""The base class of the rules about a task, such as classifying, and what they share."""

from abc import abstractmethod

from padcheck.core.facts import PaddingSide
from padcheck.core.severity import Severity
from padcheck.core.task_plans import ALONE
from padcheck.core.verdicts import Finding, Skipped
from padcheck.judging.case import ONLY_THE_TOKENIZER, Case
from padcheck.judging.rule import Rule
from padcheck.judging.task_case import TaskCase


class TaskRule(Rule):
    """A rule about what a task gave. It is undecided if the task did not run."""

    def decide(self, case: Case) -> Finding | Skipped | None:
        """A finding, or None if all is well; skipped if the task did not run."""
        task = case.task
        if task is None and not case.evidence.runs:
            return self.skip(f"undecided: {ONLY_THE_TOKENIZER}")
        if task is None or task.evidence.name not in self.tasks:
            if case.use.task in self.tasks:
                return self.skip(f"undecided: --task {case.use.task} had nothing to run")
            return self.skip(f"only --task {' or '.join(self.tasks)} measures this", "not_asked")
        if not any(task.evidence.runs[run].rows for run in task.reading_runs(ALONE)):
            return self.skip("undecided: the texts alone did not run")
        return self.about(task, case)

    @abstractmethod
    def about(self, task: TaskCase, case: Case) -> Finding | Skipped | None:
        """A finding about the task, or None if all is well."""


def severity_on(task: TaskCase, *sides: PaddingSide) -> Severity:
    """An error if the caller's side is among these, otherwise a warning: the caller does not pad on the other one."""
    return Severity.ERROR if task.side in sides else Severity.WARNING
