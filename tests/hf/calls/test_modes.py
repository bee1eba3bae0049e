"""A mode gives the tokens of plain generate(), leaves the model as it was, and says if it did not run."""

from collections.abc import Callable

import pytest
import torch
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedModel

from padcheck.core.padding import pad_ids
from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls import modes
from padcheck.hf.calls.generation import generate, neutral_generation_config
from padcheck.hf.calls.logits import LogitsLog
from padcheck.hf.calls.modes import Mode
from padcheck.hf.library.exceptions import NotOpenError, raised_in_forward

PAD = 63
SETTINGS = MeasureSettings(max_new_tokens=7)
LONG, SHORT = tuple(range(1, 8)), (9, 10, 11)
ROWS = [(index, pad_ids(ids, len(LONG), PAD, "left")) for index, ids in enumerate((LONG, SHORT))]
CHUNKED = hasattr(GenerationConfig(), "prefill_chunk_size")

IN_A_BATCH = {
    "static-cache": modes.static_cache,
    "second-turn": modes.second_turn(3),
    "inputs-embeds": modes.inputs_embeds,
    **({"chunked-prefill": modes.chunked_prefill} if CHUNKED else {}),
}
every_mode = pytest.mark.parametrize("mode", IN_A_BATCH.values(), ids=IN_A_BATCH)


@pytest.fixture
def llama() -> LlamaForCausalLM:
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LlamaForCausalLM(LlamaConfig(**sizes, vocab_size=64, eos_token_id=None, initializer_range=0.3)).eval()


def plain(model: PreTrainedModel, **settings: object) -> list:
    with neutral_generation_config(model, PAD):
        return generate(model, ROWS, SETTINGS, **settings)


def calls(model: PreTrainedModel, run: Callable[[], object]) -> list[tuple[int, ...]]:
    """The number of columns of each forward() call."""
    widths = []

    def look(_module: object, args: tuple, kwargs: dict) -> None:
        given = (*args[:1], kwargs.get("input_ids"), kwargs.get("inputs_embeds"))
        widths.append(next(each.shape[1] for each in given if each is not None))

    handle = model.register_forward_pre_hook(look, with_kwargs=True)
    run()
    handle.remove()
    return widths


@every_mode
def test_a_mode_gives_the_tokens_and_logits_of_plain_generate(llama: LlamaForCausalLM, mode: Mode) -> None:
    for expected, found in zip(plain(llama), plain(llama, mode=mode), strict=True):
        assert found.generated_ids == expected.generated_ids
        assert found.padded == expected.padded
        torch.testing.assert_close(found.logits.whole(), expected.logits.whole(), rtol=1e-4, atol=1e-4)


@every_mode
def test_sampled_draws_are_those_of_plain_generate(llama: LlamaForCausalLM, mode: Mode) -> None:
    settings = MeasureSettings(max_new_tokens=5, do_sample=True, temperature=2.0)
    with neutral_generation_config(llama, PAD):
        expected = [trace.generated_ids for trace in generate(llama, ROWS, settings)]
        assert [trace.generated_ids for trace in generate(llama, ROWS, settings, mode=mode)] == expected


def test_each_mode_makes_the_calls_that_it_is_about(llama: LlamaForCausalLM) -> None:
    one_at_a_time = [1] * 6
    assert calls(llama, lambda: plain(llama)) == [7, *one_at_a_time]
    assert calls(llama, lambda: plain(llama, mode=modes.second_turn(3))) == [3, 4, *one_at_a_time]
    if CHUNKED:
        assert calls(llama, lambda: plain(llama, mode=modes.chunked_prefill)) == [4, 3, *one_at_a_time]


def test_a_column_of_an_earlier_turn_or_chunk_has_no_position(llama: LlamaForCausalLM) -> None:
    positions = plain(llama, mode=modes.second_turn(3))[1].position_ids
    assert positions == (None, None, None, *plain(llama)[1].position_ids[3:])
    if CHUNKED:
        positions = plain(llama, mode=modes.chunked_prefill)[1].position_ids
        assert positions == (None, None, None, None, *plain(llama)[1].position_ids[4:])


@pytest.mark.parametrize("num_pads", [0, 4])
def test_an_assisted_row_accepts_right_drafts_and_takes_wrong_ones_back(llama: LlamaForCausalLM, num_pads: int) -> None:
    row = [(0, pad_ids(SHORT, len(SHORT) + num_pads, PAD, "left"))]
    width = len(SHORT) + num_pads
    with neutral_generation_config(llama, PAD):
        [expected] = generate(llama, row, SETTINGS)
        found = []
        mode = modes.assisted(expected.generated_ids)
        widths = calls(llama, lambda: found.extend(generate(llama, row, SETTINGS, mode=mode)))
    # Two right tokens and a wrong one are drafted each time, and the model adds another one: 3 + 3 + 1 tokens.
    assert widths == [width + 3, 4, 1]
    assert found[0].generated_ids == expected.generated_ids
    torch.testing.assert_close(found[0].logits.whole(), expected.logits.whole(), rtol=1e-4, atol=1e-4)


def test_if_every_draft_is_wrong_the_logits_are_still_those_of_the_accepted_tokens(llama: LlamaForCausalLM) -> None:
    row = [(0, pad_ids(SHORT, len(SHORT), PAD, "left"))]
    with neutral_generation_config(llama, PAD):
        [expected] = generate(llama, row, SETTINGS)
        other = tuple((token_id + 5) % 64 for token_id in expected.generated_ids)
        [found] = generate(llama, row, SETTINGS, mode=modes.assisted(other))
    assert found.generated_ids == expected.generated_ids
    torch.testing.assert_close(found.logits.whole(), expected.logits.whole(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("mode", [*IN_A_BATCH.values(), modes.assisted((1, 2, 3))], ids=[*IN_A_BATCH, "assisted"])
def test_the_model_is_as_before_also_after_an_error(llama: LlamaForCausalLM, mode: Mode) -> None:
    def fail(*_args: object) -> None:
        raise ValueError("no")

    before, config = set(vars(llama)), llama.generation_config
    handle = llama.model.layers[1].register_forward_pre_hook(fail)
    with neutral_generation_config(llama, PAD), pytest.raises(ValueError, match=r"^no$") as caught:
        generate(llama, ROWS[:1], SETTINGS, mode=mode)
    handle.remove()
    assert set(vars(llama)) == before
    assert llama.generation_config is config
    assert not llama._forward_pre_hooks
    assert raised_in_forward(caught.value)


def test_a_refusal_is_not_raised_in_forward(llama: LlamaForCausalLM) -> None:
    with pytest.raises(ValueError, match="batch_size = 1") as caught:
        plain(llama, mode=modes.assisted((1, 2, 3)))
    # transformers 4.48 checks the height of the batch after the first call, but in generate().
    assert not raised_in_forward(caught.value)


def test_a_static_cache_that_generate_ignores_is_an_error(llama: LlamaForCausalLM) -> None:
    llama._supports_default_dynamic_cache = lambda: False
    with pytest.raises(NotOpenError, match="ignores cache_implementation"):
        plain(llama, mode=modes.static_cache)


def test_a_cache_that_generate_does_not_return_is_an_error(llama: LlamaForCausalLM) -> None:
    llama.generation_config.use_cache = False
    with pytest.raises(NotOpenError, match="does not return the cache"):
        plain(llama, mode=modes.second_turn(3))


def test_logits_can_be_put_into_another_order() -> None:
    log = LogitsLog(2)
    for step in range(3):
        log.add(torch.tensor([[10.0 * step, 1.0], [10.0 * step + 1, 2.0]]))
    picked = log.reordered([2, 0])
    assert len(picked) == 2
    assert picked.row(1, 2).whole().tolist() == [[21.0, 2.0], [1.0, 2.0]]
