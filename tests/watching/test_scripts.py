"""Every script of tests/scripts: each planted mistake is found at its line, and right programs are silent."""

import pytest
from watched_scripts import FAULTY, RIGHT, is_found, planted, run_bare, watch

from padcheck.judging.caller_rules import CALLER_RULES


@pytest.mark.parametrize("script", FAULTY, ids=lambda script: script.stem)
def test_a_planted_mistake_is_found_at_its_line_and_nothing_else_is(script):
    wanted = list(planted(script))
    run, printed = watch(script)
    assert wanted
    assert [each for each in wanted if not is_found(run, *each)] == []
    assert len(run.findings) == len(wanted)
    assert run.notes == ()
    assert printed == run_bare(script)


@pytest.mark.parametrize("script", RIGHT, ids=lambda script: script.stem)
def test_a_right_program_is_silent_and_prints_the_same(script):
    run, printed = watch(script, every_call=True)
    assert run.findings == ()
    assert run.notes == ()
    assert run.calls.of_a_model
    assert printed == run_bare(script)


def test_every_code_has_a_script_in_which_it_fires():
    assert {code for script in FAULTY for code, _ in planted(script)} == {rule.code for rule in CALLER_RULES}
