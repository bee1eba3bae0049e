"""The fix that a finding prints is executed: the mistake is gone, and no other one has come."""

import pytest
from script_fixes import FIXES, fixed
from watched_scripts import FAULTY, watch


@pytest.mark.parametrize("script", FAULTY, ids=lambda script: script.stem)
def test_the_fix_of_a_script_leaves_no_finding(script, tmp_path):
    file = tmp_path / script.name
    file.write_text(fixed(script))
    run, printed = watch(file, every_call=True)
    assert run.script_exit_code == 0
    assert run.findings == ()
    assert run.notes == ()
    assert run.calls.of_a_model
    assert printed


def test_no_fix_is_left_over():
    assert set(FIXES) == {script.stem for script in FAULTY}
