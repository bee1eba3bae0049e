"""A checkpoint whose prompts do not reach the length at which it changes what it does: named, and crossed if asked."""

import pytest
import torch
from model_folders import SPECIAL_TOKEN_IDS, VOCAB_SIZE, save_tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig

from padcheck import compare
from padcheck.hf import measure
from padcheck.hf.runs import crossing
from padcheck.hf.runs.recorder import OutOfMemoryError

LIMIT = 32
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
SETTINGS = {**SIZES, **SPECIAL_TOKEN_IDS, "eos_token_id": None, "vocab_size": VOCAB_SIZE, "initializer_range": 0.2}
LONGROPE = {"type": "longrope", "short_factor": [1.0] * 4, "long_factor": [2.0, 3.0, 5.0, 8.0]}
PROMPTS = ("--prompt", "the big dog", "--prompt", "a mat")
NAMED = f"position scaling changes at {LIMIT} tokens (original_max_position_embeddings)"


def save(folder, config):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    save_tokenizer(folder)
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Phi-3 with LongRoPE."""
    lengths = {"original_max_position_embeddings": LIMIT, "max_position_embeddings": 32 * LIMIT}
    config = AutoConfig.for_model("phi3", **SETTINGS, **lengths, rope_scaling=LONGROPE)
    return save(tmp_path_factory.mktemp("phi3"), config)


def limits_of(outcome):
    return [(limit["key"], limit["tokens"], limit["crossed"]) for limit in outcome.report["length_limits"]]


def text_of(outcome):
    return " ".join(outcome.stdout.split())


def test_a_limit_that_was_not_reached_is_named_and_no_fault_is_found(padcheck, checkpoint):
    outcome = padcheck("compare", checkpoint, *PROMPTS, "--format", "json")
    assert outcome.exit_code == 0
    assert limits_of(outcome) == [("original_max_position_embeddings", LIMIT, False)]
    assert outcome.report["crossing_prompts"] == []
    longest = max(outcome.report["num_prompt_tokens"]) + 10
    for fmt in ("table", "markdown", "html"):
        shown = text_of(padcheck("compare", checkpoint, *PROMPTS, "--format", fmt))
        assert NAMED in shown.replace("\\_", "_")
        assert f"your longest row ends at {longest} (--cross-limits passes them)" in shown
    assert NAMED in text_of(padcheck("check", checkpoint))


def test_with_the_option_it_is_crossed_and_the_fault_is_found(padcheck, checkpoint):
    outcome = padcheck("compare", checkpoint, *PROMPTS, "--cross-limits", "--format", "json")
    assert outcome.exit_code == 1
    assert outcome.codes & {"PAD201", "PAD206"}
    assert limits_of(outcome) == [("original_max_position_embeddings", LIMIT, True)]
    report = outcome.report
    assert report["crossing_prompts"] == [2, 3, 4, 5]
    assert len(report["prompts"]) == len(report["num_prompt_tokens"]) == 6
    beyond, shortest, *decoding = report["num_prompt_tokens"][2:]
    assert (beyond, shortest, decoding) == (LIMIT + 4, min(report["num_prompt_tokens"]), [LIMIT - 1, LIMIT - 2])
    wrong = {row["prompt_index"] for row in report["comparisons"]["left"]["rows"] if row["verdict"] == "different"}
    assert wrong
    assert wrong <= {3, 4, 5}


def test_the_long_prompts_are_described_and_not_shown(padcheck, checkpoint):
    shown = text_of(padcheck("compare", checkpoint, *PROMPTS, "--cross-limits"))
    assert f"limits crossed: {NAMED}; prompts 2 to 5 repeat your text ({LIMIT + 4}, " in shown
    assert not any(f"Prompt {index}:" in shown for index in range(2, 6))
    assert "not crossed" not in shown


def test_a_model_without_a_fault_at_its_limit_passes(padcheck, tmp_path):
    window = AutoConfig.for_model("mistral", **SETTINGS, num_key_value_heads=4, sliding_window=16)
    outcome = padcheck("compare", save(tmp_path, window), *PROMPTS, "--cross-limits", "--format", "json")
    assert outcome.exit_code == 0
    assert limits_of(outcome) == [("sliding_window", 16, True)]
    assert max(outcome.report["num_prompt_tokens"]) == 20


def test_a_model_without_limits_gets_no_prompts(padcheck, tmp_path):
    outcome = padcheck(
        "compare", save(tmp_path, LlamaConfig(**SETTINGS)), *PROMPTS, "--cross-limits", "--format", "json"
    )
    assert outcome.exit_code == 0
    assert (limits_of(outcome), outcome.report["crossing_prompts"]) == ([], [])


def test_a_limit_beyond_the_memory_is_left_out_with_the_reason(padcheck, checkpoint, monkeypatch):
    monkeypatch.setattr(crossing, "free_memory", lambda _device: 10_000)
    outcome = padcheck("compare", checkpoint, *PROMPTS, "--cross-limits")
    assert outcome.exit_code == 0
    assert f"{NAMED}, left out because it needs about 0.0 GiB of memory, and 0.0 GiB are free" in text_of(outcome)


def test_a_limit_beyond_a_table_of_positions_is_left_out(padcheck, tmp_path):
    few = AutoConfig.for_model(
        "gpt_neo",
        hidden_size=32,
        num_layers=2,
        num_heads=4,
        attention_types=[[["global", "local"], 1]],
        window_size=40,
        max_position_embeddings=48,
        vocab_size=VOCAB_SIZE,
        bos_token_id=1,
        eos_token_id=2,
    )
    outcome = padcheck("compare", save(tmp_path, few), *PROMPTS, "--cross-limits")
    assert outcome.exit_code == 0
    assert "(window_size), left out because there are only 48 positions" in text_of(outcome)


def test_if_memory_runs_out_the_prompts_of_the_user_are_still_measured(padcheck, checkpoint, monkeypatch):
    run_in_batches = measure.run_in_batches

    def run(*args, crossing=(), **settings):
        if crossing:
            raise OutOfMemoryError("Memory ran out.")
        return run_in_batches(*args, crossing=crossing, **settings)

    monkeypatch.setattr(measure, "run_in_batches", run)
    outcome = padcheck("compare", checkpoint, *PROMPTS, "--cross-limits")
    assert outcome.exit_code == 0
    assert f"{NAMED}, left out because memory ran out" in text_of(outcome)


def test_from_python(checkpoint):
    from transformers import AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(checkpoint)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint)
    prompts = ["the big dog", "a mat"]
    assert compare(model, tokenizer, prompts).status == "pass"
    assert compare(model, tokenizer, prompts, cross_limits=True).status == "fail"
