"""Which prompt is added to prompts of one length."""

import pytest
from model_folders import tokenizer_of_one_token
from transformers import AutoTokenizer

from padcheck.demo import MODEL_FOLDER, load_prompts
from padcheck.hf.tokenizer.companion import encode_with_companion
from padcheck.hf.tokenizer.pad_tokens import choose_pad_token

EIGHT = "one two three four five six seven eight"


def added(*prompts, longest=None, folder=MODEL_FOLDER):
    """The prompts that were added."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    pad_token = choose_pad_token(tokenizer, None)
    encoded, companion = encode_with_companion(
        tokenizer, prompts, load_prompts(), pad_token, chat=False, longest=longest
    )
    assert len(encoded.texts.texts) == len(encoded.input_ids) == len(prompts) + (companion is not None)
    assert companion in (None, len(prompts))
    return list(encoded.texts.texts[len(prompts) :])


@pytest.mark.parametrize(
    ("prompts", "longest", "companions"),
    [
        (("Monday",), None, ["one two three four five six"]),
        (("one two", "two three"), None, ["one two three four five six"]),
        (("Monday",), 3, ["January February March"]),
        ((EIGHT,), None, [f"{EIGHT} one two three four five six"]),
        ((EIGHT,), 10, [f"{EIGHT} Monday Tuesday"]),
        ((EIGHT,), 8, ["Monday Tuesday"]),
        (("Monday",), 1, []),
        (("Monday", "one two"), None, []),
    ],
    ids=[
        "one",
        "one length",
        "a limit",
        "a long one",
        "a limit for both",
        "only a shorter one",
        "none fits",
        "two lengths",
    ],
)
def test_the_companion_is_longer_if_possible(prompts, longest, companions):
    assert added(*prompts, longest=longest) == companions


def test_a_tokenizer_that_gives_every_text_the_same_length_gets_no_companion(tmp_path):
    assert added("Monday", folder=tokenizer_of_one_token(tmp_path / "model")) == []
