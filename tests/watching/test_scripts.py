"""Every script of tests/scripts: each planted mistake is found at its line, and right programs are silent."""

import pytest
from watched_scripts import FAULTY, RIGHT, is_found, planted, run_bare, say, watch

from padcheck.judging.caller_rules import CALLER_RULES
from padcheck.judging.same_output import compare


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


@pytest.mark.parametrize("script", RIGHT, ids=lambda script: script.stem)
def test_a_right_program_says_the_same_with_wider_batches(script):
    plain, wide = say(script), say(script, columns=3)
    dtype = "bfloat16" if "bfloat16" in script.stem else "float32"
    differences = compare(plain, plain, [wide], 3, dtype).differences
    assert wide.exit_code == 0
    if plain.random == wide.random:  # otherwise the width decides about random numbers, and nothing is reported
        assert bool(differences) == (script.stem == "prints_padded_batch")  # it prints what the model says at pads


def test_every_code_has_a_script_in_which_it_fires():
    of_other_runs = {"PAD523"}  # it takes --widen
    codes = {rule.code for rule in CALLER_RULES}
    assert {code for script in FAULTY for code, _ in planted(script)} == codes - of_other_runs
