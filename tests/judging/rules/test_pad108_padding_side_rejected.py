from builders import ask, finding, samples

from padcheck.core.run_results import Sample
from padcheck.core.severity import Severity
from padcheck.judging.rules.pad108_padding_side_rejected import PaddingSideRejected

UNKNOWN = "TypeError: _pad() got an unexpected keyword argument 'padding_side'"


def test_fires_if_the_tokenizer_does_not_know_the_argument() -> None:
    broken = Sample(error=UNKNOWN)
    found = finding(PaddingSideRejected(), samples={"left": broken, "right": broken})
    assert found.severity is Severity.ERROR
    assert found.message == f"Padding on the left and on the right raised: {UNKNOWN}"
    assert found.evidence == {"errors": {"left": UNKNOWN, "right": UNKNOWN}}
    assert "padding_side=None" in found.fix


def test_fires_if_one_side_is_refused_and_names_it() -> None:
    found = finding(PaddingSideRejected(), samples=samples(left=Sample(error="AssertionError: right only")))
    assert found.message == "Padding on the left raised: AssertionError: right only"
    assert "SomeTokenizer" in found.fix


def test_silent_if_nothing_raised() -> None:
    assert ask(PaddingSideRejected(), samples=samples(left=Sample(rows=()))) is None
