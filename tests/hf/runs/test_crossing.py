"""Which prompts are added to pass the limits of a model."""

import pytest
from transformers import AutoConfig

from padcheck.core.facts import LengthLimit
from padcheck.hf.runs import crossing
from padcheck.hf.runs.crossing import not_crossing, plan_crossing
from padcheck.hf.toys.tiny_model import build_tiny_model

PROMPTS = ((1, 2, 3, 4, 5), (6, 7))


@pytest.fixture(scope="module")
def model():
    return build_tiny_model(AutoConfig.for_model("llama", vocab_size=64))


def limit(tokens, key="sliding_window"):
    return LengthLimit(key=key, tokens=tokens, what="the attention window is full")


def planned(model, *limits, max_new_tokens=10):
    found = plan_crossing(model, PROMPTS, limits, max_new_tokens)
    return [tuple(map(len, batch)) for batch in found.batches], [each.crossed for each in found.limits]


def test_each_limit_gets_a_batch_on_both_sides_and_one_that_passes_it_while_decoding(model):
    assert planned(model, limit(12), limit(20)) == ([(16, 2), (11, 10), (24, 2), (19, 18)], [True, True])


def test_the_text_of_the_longest_prompt_is_repeated(model):
    [beyond, _] = plan_crossing(model, PROMPTS, (limit(8),), 10).batches
    assert beyond == ((1, 2, 3, 4, 5, 1, 2, 3, 4, 5, 1, 2), (6, 7))


@pytest.mark.parametrize(
    ("max_new_tokens", "batches"), [(1, [(16, 2)]), (2, [(16, 2), (12, 11)]), (3, [(16, 2), (11, 10)])]
)
def test_with_few_new_tokens_the_prompts_begin_nearer_to_the_limit(model, max_new_tokens, batches):
    assert planned(model, limit(12), max_new_tokens=max_new_tokens)[0] == batches


def test_a_prompt_of_the_user_that_is_longer_needs_no_other(model):
    assert planned(model, limit(4)) == ([], [True])


def test_two_limits_of_one_length_need_one_set_of_prompts(model):
    assert planned(model, limit(12), limit(12, "attention_chunk_size")) == ([(16, 2), (11, 10)], [True, True])


def test_what_does_not_fit_into_memory_is_left_out(model, monkeypatch):
    needed = crossing._needed_memory(model, 100)
    monkeypatch.setattr(crossing, "free_memory", lambda _device: needed)
    found = plan_crossing(model, PROMPTS, (limit(20), limit(2000)), 10)
    assert [each.crossed for each in found.limits] == [True, False]
    assert [each.why_not is None for each in found.limits] == [True, False]
    monkeypatch.setattr(crossing, "free_memory", lambda _device: None)
    assert planned(model, limit(2000))[1] == [True]


def test_without_the_longest_the_others_stay(model):
    found = plan_crossing(model, PROMPTS, (limit(4), limit(12), limit(20)), 10).without_longest("memory ran out")
    assert [len(batch[0]) for batch in found.batches] == [16, 11]
    assert [(each.crossed, each.why_not) for each in found.limits] == [
        (True, None),
        (True, None),
        (False, "memory ran out"),
    ]
    assert not found.without_longest("memory ran out").batches


def test_nothing_is_added_if_nobody_asked():
    assert not_crossing((limit(12),)).batches == ()
