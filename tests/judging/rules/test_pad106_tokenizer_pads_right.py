from builders import ask, finding, tokenizer_facts

from padcheck.core.severity import Severity
from padcheck.judging.rules.pad106_tokenizer_pads_right import TokenizerPadsRight


def test_fires_if_the_default_side_is_right_and_says_if_that_stands() -> None:
    tokenizer = tokenizer_facts(padding_side="right", padding_side_source="tokenizer_config.json")
    found = finding(TokenizerPadsRight(), tokenizer=tokenizer)
    assert found.severity is Severity.WARNING
    assert "(tokenizer_config.json)" in found.message
    assert found.evidence == {"padding_side": "right", "source": "tokenizer_config.json"}
    assert found.fix.startswith('tokenizer.padding_side = "left"')


def test_silent_if_only_truncation_is_on_the_right() -> None:
    assert ask(TokenizerPadsRight(), tokenizer=tokenizer_facts(padding_side="left", truncation_side="right")) is None
