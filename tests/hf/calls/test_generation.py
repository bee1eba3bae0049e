"""Calls of generate() and forward() leave the model as it was, and record what really happened."""

import copy

import pytest
import torch
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from padcheck.core.padding import pad_ids
from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls.capture import captured_warnings, position_ids_by_column
from padcheck.hf.calls.forwards import continue_from_cache, replay
from padcheck.hf.calls.generation import generate, neutral_generation_config, overridden_settings
from padcheck.hf.runs.in_batches import evaluating

PAD = 63
SETTINGS = MeasureSettings(max_new_tokens=4)
LONG, SHORT = tuple(range(1, 8)), (9, 10, 11)


@pytest.fixture
def gpt2() -> GPT2LMHeadModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = GPT2LMHeadModel(
            GPT2Config(vocab_size=64, n_embd=32, n_head=2, n_layer=2, n_positions=32, initializer_range=0.3)
        ).eval()
    model.generation_config = GenerationConfig(pad_token_id=PAD)
    return model


def rows(side):
    return [(index, pad_ids(ids, len(LONG), PAD, side)) for index, ids in enumerate((LONG, SHORT))]


def test_a_left_padded_row_matches_the_prompt_alone(gpt2):
    with neutral_generation_config(gpt2, PAD):
        alone = generate(gpt2, [(1, pad_ids(SHORT, len(SHORT), PAD, "left"))], SETTINGS)[0]
        left = generate(gpt2, rows("left"), SETTINGS)[1]
    assert left.generated_ids == alone.generated_ids
    torch.testing.assert_close(left.logits.whole(), alone.logits.whole(), rtol=1e-5, atol=1e-5)
    assert left.logits.whole().shape == (4, 64)


def test_the_logits_match_one_forward_over_the_whole_row(gpt2):
    with neutral_generation_config(gpt2, PAD):
        alone = generate(gpt2, [(0, pad_ids(LONG, len(LONG), PAD, "left"))], SETTINGS)[0]
    with torch.inference_mode():
        whole = gpt2(torch.tensor([[*LONG, *alone.generated_ids]])).logits[0, len(LONG) - 1 : -1]
    torch.testing.assert_close(alone.logits.whole(), whole, rtol=1e-4, atol=1e-4)


def test_penalties_and_limits_of_the_model_are_switched_off_and_restored(gpt2):
    own = GenerationConfig(
        repetition_penalty=5.0, no_repeat_ngram_size=1, min_length=20, max_length=9, do_sample=True, temperature=9.0
    )
    gpt2.generation_config = own
    before = copy.deepcopy(own.to_dict())
    with neutral_generation_config(gpt2, PAD):
        penalised = generate(gpt2, rows("left"), SETTINGS)
    assert gpt2.generation_config is own
    assert own.to_dict() == before
    gpt2.generation_config = GenerationConfig()
    with neutral_generation_config(gpt2, PAD):
        plain = generate(gpt2, rows("left"), SETTINGS)
    assert [trace.generated_ids for trace in penalised] == [trace.generated_ids for trace in plain]
    assert set(overridden_settings(own)) >= {"repetition_penalty", "no_repeat_ngram_size", "min_length", "do_sample"}


def test_the_generation_config_is_restored_after_an_error(gpt2):
    own = gpt2.generation_config
    with pytest.raises(IndexError), neutral_generation_config(gpt2, PAD):
        generate(gpt2, [(0, pad_ids((1, 999), 2, PAD, "left"))], SETTINGS)
    assert gpt2.generation_config is own
    assert not gpt2._forward_pre_hooks


@pytest.fixture
def llama() -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        num_attention_heads=2,
        num_hidden_layers=2,
        intermediate_size=32,
        initializer_range=0.3,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(config).eval()
    model.generation_config = GenerationConfig(pad_token_id=PAD)
    return model


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@pytest.mark.parametrize("prompt", [LONG, SHORT, (5,)], ids=len)
def test_a_replay_computes_the_logits_of_all_steps_in_one_forward_without_a_cache(request, family, prompt):
    model = request.getfixturevalue(family)
    with neutral_generation_config(model, PAD):
        alone = generate(model, [(0, pad_ids(prompt, len(prompt), PAD, "left"))], SETTINGS)[0]
    received = []
    handle = model.register_forward_pre_hook(
        lambda _module, args, kwargs: received.append((args[0].tolist(), kwargs)), with_kwargs=True
    )
    replayed = replay(model, prompt, alone.generated_ids)
    handle.remove()
    [(input_ids, kwargs)] = received
    assert input_ids == [[*prompt, *alone.generated_ids[:-1]]]
    assert kwargs["attention_mask"].tolist() == [[1] * len(input_ids[0])]
    assert set(kwargs) - {"logits_to_keep"} == {"attention_mask"}  # older models have no logits_to_keep
    assert (replayed.padded, replayed.generated_ids) == (alone.padded, alone.generated_ids)
    assert replayed.logits.whole().shape == alone.logits.whole().shape == (SETTINGS.max_new_tokens, 64)
    torch.testing.assert_close(replayed.logits.whole(), alone.logits.whole(), rtol=1e-4, atol=1e-4)
    assert replayed.logits.whole().argmax(dim=-1).tolist() == list(alone.generated_ids)


def test_a_replay_of_one_new_token_is_one_forward_of_the_prompt(llama):
    replayed = replay(llama, LONG, (3,))
    with torch.inference_mode():
        expected = llama(torch.tensor([LONG])).logits[0, -1:]
    torch.testing.assert_close(replayed.logits.whole(), expected, rtol=1e-5, atol=1e-5)
    assert len(replayed.position_ids) == len(LONG) + 1


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_without_a_cache_every_step_gets_all_columns_and_gives_the_same_logits(request, family):
    model = request.getfixturevalue(family)
    widths = []
    with neutral_generation_config(model, PAD):
        cached = generate(model, rows("left"), SETTINGS)
        handle = model.register_forward_pre_hook(
            lambda _module, args, kwargs: widths.append((args[0] if args else kwargs["input_ids"]).shape[1]),
            with_kwargs=True,
        )
        uncached = generate(model, rows("left"), SETTINGS, with_cache=False)
        handle.remove()
    assert widths == [len(LONG) + step for step in range(SETTINGS.max_new_tokens)]
    for row, other in zip(cached, uncached, strict=True):
        assert row.generated_ids == other.generated_ids
        assert row.position_ids == other.position_ids
        torch.testing.assert_close(row.logits.whole(), other.logits.whole(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_cache_is_continued_from_the_last_real_token(request, family, side):
    model = request.getfixturevalue(family)
    with neutral_generation_config(model, PAD):
        alone = [generate(model, [(0, pad_ids(ids, len(ids), PAD, side))], SETTINGS)[0] for ids in (LONG, SHORT)]
    new = [trace.generated_ids for trace in alone]
    for trace, single, (_, padded) in zip(continue_from_cache(model, rows(side), new), alone, rows(side), strict=True):
        assert trace.padded == padded
        assert trace.generated_ids == single.generated_ids[:2]
        if side == "right":
            torch.testing.assert_close(trace.logits.whole(), single.logits.whole()[:2], rtol=1e-4, atol=1e-4)


def test_a_row_with_one_new_token_has_one_entry_per_column_after_a_cache_is_continued(gpt2):
    for trace in continue_from_cache(gpt2, rows("right"), [(5,), (5, 6)]):
        columns = len(trace.padded.input_ids) + len(trace.generated_ids)
        assert (len(trace.position_ids), trace.logits.num_steps) == (columns, len(trace.generated_ids))


def test_a_row_ends_at_its_first_eos(gpt2):
    with neutral_generation_config(gpt2, PAD):
        free = generate(gpt2, rows("left"), SETTINGS)
    eos = free[1].generated_ids[1]
    gpt2.generation_config = GenerationConfig(eos_token_id=[eos, 62])
    with neutral_generation_config(gpt2, PAD):
        ended = generate(gpt2, rows("left"), SETTINGS)
    first = free[1].generated_ids.index(eos)
    assert ended[1].generated_ids == free[1].generated_ids[: first + 1]
    assert ended[1].logits.num_steps == len(ended[1].generated_ids)
    assert len(ended[1].position_ids) == len(LONG) + len(ended[1].generated_ids)


def test_the_training_flag_of_every_module_is_restored(gpt2):
    gpt2.train()
    gpt2.transformer.h[0].eval()
    before = [module.training for module in gpt2.modules()]
    with evaluating(gpt2):
        assert not any(module.training for module in gpt2.modules())
    assert [module.training for module in gpt2.modules()] == before


def test_without_position_ids_every_column_is_none():
    received = [None, None, None]
    assert position_ids_by_column(received, 0, 3, 5) == (None,) * 5


def test_a_column_that_enters_forward_again_keeps_its_first_position():
    received = [torch.tensor([[0, 1, 2]]), torch.tensor([[7, 7, 7, 3]]), torch.tensor([[7, 7, 7, 7, 4]])]
    assert position_ids_by_column(received, 0, 3, 6) == (0, 1, 2, 3, 4, None)


def test_one_row_of_position_ids_applies_to_every_row_of_the_batch():
    received = [torch.tensor([[0, 1, 2]]), torch.tensor([[3]])]
    assert position_ids_by_column(received, 1, 3, 5) == (0, 1, 2, 3, None)


def test_each_run_collects_every_warning_and_none_is_shown(gpt2, capfd):
    collected = []
    for _ in range(2):
        with captured_warnings() as messages, neutral_generation_config(gpt2, PAD):
            generate(gpt2, rows("right"), SETTINGS)
        collected.append([message for message in messages if "right-padding was detected" in message])
    assert [len(messages) for messages in collected] == [1, 1]
    assert capfd.readouterr() == ("", "")


def test_sampled_runs_that_agree_draw_the_same_text_and_another_seed_draws_another(gpt2):
    drawn = {}
    for seed in (0, 1):
        settings = MeasureSettings(max_new_tokens=8, do_sample=True, temperature=1.5, top_k=40, top_p=0.95, seed=seed)
        with neutral_generation_config(gpt2, PAD):
            alone = generate(gpt2, [(1, pad_ids(SHORT, len(SHORT), PAD, "left"))], settings)[0]
            left = generate(gpt2, rows("left"), settings)[1]
        assert left.generated_ids == alone.generated_ids
        drawn[seed] = alone.generated_ids
    greedy = MeasureSettings(max_new_tokens=8)
    with neutral_generation_config(gpt2, PAD):
        drawn["greedy"] = generate(gpt2, [(1, pad_ids(SHORT, len(SHORT), PAD, "left"))], greedy)[0].generated_ids
    assert len(set(drawn.values())) == 3


def test_draws_follow_the_softmax():
    """A chi-square test of the Gumbel-max draws over many steps of a fixed distribution."""
    from padcheck.hf.calls.sampling import SharedGumbelNoise

    probabilities = torch.tensor([0.5, 0.25, 0.15, 0.1])
    draws = 4000
    counts = torch.zeros(4)
    for step in range(draws):
        noise = SharedGumbelNoise([0], 0, seed=7)
        scores = noise(torch.zeros(1, step, dtype=torch.long), probabilities.log()[None])
        counts[scores.argmax()] += 1
    chi_square = ((counts - draws * probabilities) ** 2 / (draws * probabilities)).sum()
    assert chi_square < 16.3  # p = 0.001 with three degrees of freedom


def test_position_ids_of_a_rotary_model_are_recorded(llama):
    with neutral_generation_config(llama, PAD):
        left = generate(llama, rows("left"), SETTINGS)[1]
    assert left.position_ids[4:] == (0, 1, 2, 3, 4, 5, None)
