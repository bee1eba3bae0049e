import pytest
from builders import ask, finding, special_token_ids, token_ids, tokenizer_facts

from padcheck.core.facts import PadTokenSuggestion
from padcheck.core.severity import Severity
from padcheck.judging.rules.pad102_pad_token_is_eos_token import PadTokenIsEosToken

PAD_IS_EOS = {"pad_token": "</s>", "pad_token_id": 2}


def test_fires_if_pad_is_the_eos_of_all_three_places() -> None:
    found = finding(PadTokenIsEosToken(), tokenizer=tokenizer_facts(**PAD_IS_EOS))
    assert found.severity is Severity.WARNING
    assert "'</s>' (2) is an eos of tokenizer, config, generation_config" in found.message
    assert found.evidence == {"pad_token_id": 2, "eos_named_by": ["tokenizer", "config", "generation_config"]}
    assert "attention_mask" in found.fix


def test_fires_if_pad_is_one_of_several_eos_of_generation_config() -> None:
    ids = special_token_ids(generation_config=token_ids(eos=(2, 0)))
    assert finding(PadTokenIsEosToken(), special_token_ids=ids).evidence["eos_named_by"] == ["generation_config"]


def test_the_fix_sets_a_better_pad_token_if_there_is_one() -> None:
    suggestion = PadTokenSuggestion(token="<pad>", token_id=0, reason="by name")
    found = finding(PadTokenIsEosToken(), tokenizer=tokenizer_facts(**PAD_IS_EOS, pad_token_suggestion=suggestion))
    assert found.fix.startswith("tokenizer.pad_token = '<pad>'")


@pytest.mark.parametrize(
    "tokenizer",
    [
        tokenizer_facts(),
        tokenizer_facts(pad_token=None, pad_token_id=None, pad_token_used="</s>", pad_token_used_id=2),
    ],
    ids=["another pad", "eos only stands in"],
)
def test_silent_if_the_tokenizer_itself_does_not_pad_with_eos(tokenizer) -> None:
    assert ask(PadTokenIsEosToken(), tokenizer=tokenizer) is None


def test_silent_if_nothing_names_an_eos() -> None:
    nothing = token_ids(eos=None)
    ids = special_token_ids(tokenizer=nothing, config=nothing, generation_config=nothing)
    assert ask(PadTokenIsEosToken(), special_token_ids=ids) is None
