import pytest
from builders import ask, finding, special_token_ids, token_ids, tokenizer_facts

from padcheck.core.facts import PadTokenSuggestion
from padcheck.core.severity import Severity
from padcheck.judging.rules.pad101_missing_pad_token import MissingPadToken

NONE = {
    "pad_token": None,
    "pad_token_id": None,
    "pad_token_used": "</s>",
    "pad_token_used_id": 2,
    "pad_token_used_reason": "eos was used",
}

UNNAMED = special_token_ids(config=token_ids(pad=None), generation_config=token_ids(pad=None))


def test_fires_if_the_tokenizer_has_no_pad_token() -> None:
    found = finding(MissingPadToken(), tokenizer=tokenizer_facts(**NONE))
    assert found.severity is Severity.WARNING
    assert "'</s>' (2): eos was used." in found.message
    assert found.evidence == {"pad_token_used": "</s>", "pad_token_used_id": 2, "suggestion": None}


@pytest.mark.parametrize(
    ("suggestion", "advice", "fix"),
    [
        (None, "eos was used.", "tokenizer.pad_token = '</s>'"),
        (
            PadTokenSuggestion(token="<|pad|>", token_id=7, reason="it is one by name"),
            "Better: '<|pad|>', since it is one by name.",
            "tokenizer.pad_token = '<|pad|>'  # id 7",
        ),
        (
            PadTokenSuggestion(token="</s>", token_id=2, reason="nothing else is there"),
            "nothing else is there.",
            "tokenizer.pad_token = tokenizer.eos_token  # and always pass attention_mask",
        ),
    ],
    ids=["nothing", "a separate token", "eos"],
)
def test_offers_the_best_of_the_vocabulary(suggestion: PadTokenSuggestion | None, advice: str, fix: str) -> None:
    tokenizer = tokenizer_facts(**NONE, pad_token_suggestion=suggestion)
    found = finding(MissingPadToken(), tokenizer=tokenizer, special_token_ids=UNNAMED)
    assert found.message.endswith(advice)
    assert found.fix == fix


def test_configs_that_name_another_pad_token_get_the_same_one() -> None:
    ids = special_token_ids(config=token_ids(pad=9), generation_config=token_ids(pad=2))
    fix = finding(MissingPadToken(), tokenizer=tokenizer_facts(**NONE), special_token_ids=ids).fix
    assert fix == "tokenizer.pad_token = '</s>'\nmodel.config.pad_token_id = tokenizer.pad_token_id"


def test_a_token_with_quotes_and_backslashes_is_a_python_literal_in_the_fix() -> None:
    suggestion = PadTokenSuggestion(token="'\\\n", token_id=7, reason="odd")
    tokenizer = tokenizer_facts(**NONE, pad_token_suggestion=suggestion)
    fix = finding(MissingPadToken(), tokenizer=tokenizer, special_token_ids=UNNAMED).fix
    assert eval(fix.removeprefix("tokenizer.pad_token = ").split("  # id")[0]) == "'\\\n"


def test_silent_if_the_pad_id_is_zero() -> None:
    assert ask(MissingPadToken(), tokenizer=tokenizer_facts(pad_token_id=0)) is None
