import pytest
from builders import ask, finding, tokenizer_facts

from padcheck.checks.pad101_missing_pad_token import MissingPadToken
from padcheck.evidence import PadTokenSuggestion
from padcheck.report import Severity

NONE = {
    "pad_token": None,
    "pad_token_id": None,
    "pad_token_used": "</s>",
    "pad_token_used_id": 2,
    "pad_token_used_reason": "eos was used",
}


def test_fires_where_the_tokenizer_has_no_pad_token() -> None:
    found = finding(MissingPadToken(), tokenizer=tokenizer_facts(**NONE))
    assert found.severity is Severity.WARNING
    assert "'</s>' (2): eos was used." in found.message
    assert found.evidence == {"pad_token_used": "</s>", "pad_token_used_id": 2, "suggestion": None}


@pytest.mark.parametrize(
    ("suggestion", "line"),
    [
        (None, "tokenizer.pad_token = '</s>'"),
        (
            PadTokenSuggestion(token="<|pad|>", token_id=7, reason="by name"),
            "tokenizer.pad_token = '<|pad|>'  # id 7\n# by name",
        ),
        (
            PadTokenSuggestion(token="</s>", token_id=2, reason="nothing better"),
            "tokenizer.pad_token = tokenizer.eos_token\n# nothing better",
        ),
    ],
)
def test_the_fix_sets_what_the_vocabulary_offers(suggestion: PadTokenSuggestion | None, line: str) -> None:
    assert finding(MissingPadToken(), tokenizer=tokenizer_facts(**NONE, pad_token_suggestion=suggestion)).fix == line


def test_a_token_with_quotes_and_backslashes_is_a_python_literal_in_the_fix() -> None:
    suggestion = PadTokenSuggestion(token="'\\\n", token_id=7, reason="odd")
    fix = finding(MissingPadToken(), tokenizer=tokenizer_facts(**NONE, pad_token_suggestion=suggestion)).fix
    assert eval(fix.removeprefix("tokenizer.pad_token = ").split("  # id")[0]) == "'\\\n"


def test_silent_where_the_pad_id_is_zero() -> None:
    assert ask(MissingPadToken(), tokenizer=tokenizer_facts(pad_token_id=0)) is None
