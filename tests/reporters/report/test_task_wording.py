from builders import report
from msgspec.structs import replace
from tasks import classified, off, raised, task_row, task_run

from padcheck.core.settings import JudgeSettings
from padcheck.reporters.report.wording import task as wording
from padcheck.reporters.report.wording.conclusion import conclusion

CLASSIFY = JudgeSettings(task="classify")


def test_the_conclusion_names_the_side_of_the_tokenizer_first() -> None:
    found = conclusion(report(settings=CLASSIFY, **classified(left=off("left"), left_positions=off("left_positions"))))
    assert found.startswith(
        "FAIL: left padding changes the class logits, right padding does not change the class logits (1 error"
    )
    found = conclusion(report(settings=CLASSIFY, **classified()))
    assert found == "PASS: padding on either side does not change the class logits"


def test_the_conclusion_names_the_pad_id() -> None:
    changes = classified(left=raised("left"), left_pad_id=task_run("left_pad_id"))
    assert "left padding raises, except with the pad id in the config" in conclusion(
        report(settings=CLASSIFY, **changes)
    )


def test_only_some_of_many_texts_are_shown() -> None:
    changes = classified()
    runs = {
        name: replace(run, rows=tuple(replace(task_row(1, name), prompt_index=index) for index in range(20)))
        for name, run in changes["task"].runs.items()
    }
    many = report(settings=CLASSIFY, **changes | {"task": replace(changes["task"], runs=runs)})
    assert wording.hides_texts(many)
    assert len(wording.rows(many)) == 3 * 20
    assert len(wording.rows(many, all_texts=False)) == 3 * 8


def test_the_texts_that_changed_are_shown_first() -> None:
    changes = classified()
    runs = {
        name: replace(
            run,
            rows=tuple(
                replace(task_row(1, name, 0.5 * (index == 17 and name == "left")), prompt_index=index)
                for index in range(20)
            ),
        )
        for name, run in changes["task"].runs.items()
    }
    many = report(settings=CLASSIFY, **changes | {"task": replace(changes["task"], runs=runs)})
    assert [row[0] for row in wording.rows(many, all_texts=False)] == ["17", "", ""]
