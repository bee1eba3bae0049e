import pytest
from builders import ask, finding, tokenizer_facts

from padcheck.core.facts import ChatTemplateFacts
from padcheck.core.severity import Severity
from padcheck.judging.rules.pad109_pad_token_in_text import PadTokenInText


@pytest.mark.parametrize(
    ("in_prompts", "in_template", "places"),
    [
        (3, 0, "3 in the prompts."),
        (0, 2, "2 in the chat template."),
        (1, 2, "1 in the prompts, 2 in the chat template."),
    ],
)
def test_fires_if_text_holds_the_pad_token(in_prompts: int, in_template: int, places: str) -> None:
    template = ChatTemplateFacts(leading_bos=1, pad_tokens=in_template)
    found = finding(
        PadTokenInText(), tokenizer=tokenizer_facts(chat_template=template), num_pad_tokens_in_prompts=in_prompts
    )
    assert found.severity is Severity.WARNING
    assert found.message == f"The pad token '<pad>' (0) occurs in real text: {places}"
    assert found.evidence == {"in_prompts": in_prompts, "in_chat_template": in_template}
    assert "attention_mask" in found.fix


@pytest.mark.parametrize("template", [None, ChatTemplateFacts(leading_bos=1, pad_tokens=0)])
def test_silent_if_pads_come_from_padding_alone(template: ChatTemplateFacts | None) -> None:
    assert ask(PadTokenInText(), tokenizer=tokenizer_facts(chat_template=template)) is None
