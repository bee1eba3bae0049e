import pytest
from builders import ask, finding, tokenizer_facts

from padcheck.core.facts import ChatTemplateFacts
from padcheck.core.severity import Severity
from padcheck.judging.rules.pad110_double_bos import DoubleBos


@pytest.mark.parametrize("leading_bos", [2, 3])
def test_fires_on_more_than_one_leading_bos(leading_bos: int) -> None:
    template = ChatTemplateFacts(leading_bos=leading_bos, pad_tokens=0)
    found = finding(DoubleBos(), tokenizer=tokenizer_facts(chat_template=template))
    assert found.severity is Severity.WARNING
    assert f"begins with {leading_bos} bos tokens" in found.message
    assert found.evidence == {"leading_bos": leading_bos}
    assert "add_special_tokens=False" in found.fix


@pytest.mark.parametrize("leading_bos", [0, 1])
def test_silent_on_one_bos_or_none(leading_bos: int) -> None:
    template = ChatTemplateFacts(leading_bos=leading_bos, pad_tokens=0)
    assert ask(DoubleBos(), tokenizer=tokenizer_facts(chat_template=template)) is None


def test_silent_without_a_chat_template() -> None:
    assert ask(DoubleBos(), tokenizer=tokenizer_facts(chat_template=None)) is None
