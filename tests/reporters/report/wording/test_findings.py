"""The advice."""

from builders import report

from padcheck.reporters.report.wording import findings


def test_advice_gives_the_task_and_the_line() -> None:
    found = report()
    assert findings.advice(found) == [(advice.task, advice.line) for advice in found.advice]
    assert [task for task, _ in findings.advice(found)] == ["generating", "scoring", "training"]
