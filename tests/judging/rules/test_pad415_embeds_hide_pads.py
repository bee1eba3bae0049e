from builders import ask, finding
from tasks import classified, off

from padcheck.core.severity import Severity
from padcheck.judging.rules.pad415_embeds_hide_pads import EmbedsHidePads


def test_fires_if_only_embeddings_are_wrong() -> None:
    found = finding(EmbedsHidePads(), **classified(right_embeds=off("right_embeds")))
    assert found.severity is Severity.INFO
    assert found.fix.startswith('tokenizer.padding_side = "left"')


def test_silent_if_ids_are_wrong_too() -> None:
    assert ask(EmbedsHidePads(), **classified(right=off("right"), right_embeds=off("right_embeds"))) is None


def test_silent_if_embeddings_are_right() -> None:
    assert ask(EmbedsHidePads(), **classified()) is None
