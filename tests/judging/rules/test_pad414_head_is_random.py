from builders import ask, finding, model_facts
from msgspec.structs import replace
from tasks import classified

from padcheck.core.severity import Severity
from padcheck.judging.rules.pad414_head_is_random import HeadIsRandom

RANDOM = classified() | {"task": replace(classified()["task"], head="random")}


def test_fires_if_the_checkpoint_has_no_head() -> None:
    found = finding(HeadIsRandom(), **RANDOM)
    assert found.severity is Severity.INFO
    assert "no weights for the head of SomeForCausalLM" in found.message


def test_silent_if_the_head_was_loaded() -> None:
    assert ask(HeadIsRandom(), **classified()) is None


def test_silent_if_all_weights_are_random() -> None:
    assert ask(HeadIsRandom(), **RANDOM, model=model_facts(weights="random")) is None
