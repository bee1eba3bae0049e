"""Every fix that padcheck prints, executed against the finding that it fixes.

A fix changes the model or the tokenizer, then the finding is gone and nothing new is found; or it is a call, which then
gives what the prompt alone gives. Fixes in prose cannot be executed: `PROSE` lists them.
"""

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import builders
import pytest
import torch
from conftest import REAL_HUB, needs_real_hub
from model_folders import build_model
from torch.nn.functional import cross_entropy
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    DataCollatorForLanguageModeling,
    DataCollatorForSeq2Seq,
    GPT2LMHeadModel,
    LlamaConfig,
    PreTrainedModel,
)
from zoo.comparing import UNAVAILABLE
from zoo.families import PROMPTS, build_family, tokenizer
from zoo.masks import ignored_by_sdpa, number_in_eager
from zoo.planting import Fault, planted
from zoo.positions import by_slot, by_slot_while_decoding
from zoo.training import not_shifted, with_loss

import padcheck
from padcheck.core.report import Report
from padcheck.core.verdicts import Finding
from padcheck.demo import MODEL_FOLDER, load_prompts
from padcheck.judging.rules import RULES

PROSE = {
    "PAD107": "the tokenizer's own code must change",
    "PAD108": "the tokenizer's own code must change",
    "PAD201": "without another attention implementation or dtype that is right, only the prompts can change",
    "PAD205": "only the prompts can change",
    "PAD206": "only the prompts, or the quantization, can change",
    "PAD207": "no line of code changes a limit of the architecture",
    "PAD209": "only the mode, or the model's own code, can change",
    "PAD210": "only the mode, or the model's own code, can change",
    "PAD211": "the error itself says what to change",
    "PAD301": "without another attention implementation that is right, the model's own code must change",
    "PAD302": "the line belongs into the model's own code; it is executed below for PAD401",
    "PAD303": "if the cache is not at fault, the model's own code must change",
    "PAD304": "without another attention implementation that is right, only the prompts can change",
    "PAD305": "only the prompts can change",
    "PAD402": "only the prompts can change",
    "PAD404": "if right padding is wrong too, only the prompts can change",
    "PAD406": "only the packing, or the model's own code, can change",
    "PAD441": "the model's own loss must change",
    "PAD442": "the model's own loss must change",
    "PAD443": "the model's own code must change",
    "PAD446": "only the accumulation, or the model's own loss, can change",
    "PAD902": "if not only right padding raises, the error itself says what to change",
}
"""Fixes without a line of code, and why."""

ANNOUNCED = {
    ("PAD101", "PAD102"): "nothing but eos is left to pad with; the message says that it is not for training (PAD403)",
    ("PAD101", "PAD103"): "nothing but unk is left to pad with, and the message says why; PAD103 is an info",
    ("PAD105", "PAD103"): "the same",
}
"""What a fix brings with it: the code that it fixes, the code that appears, and why that is no surprise."""

Change = Callable[[Any, Any], None]


def compare(model: Any, words: Any, prompts: Any = PROMPTS) -> Report:
    return padcheck.compare(model, words, list(prompts), max_new_tokens=3)


def found(report: Report) -> dict[str, Finding]:
    return {finding.code: finding for finding in report.findings}


def run(fix: str, **names: Any) -> dict[str, Any]:
    """Executes the lines of a fix, and returns the names that it sets."""
    scope = {"torch": torch, **names}
    exec(fix, scope)
    return scope


def demo() -> tuple[Any, Any]:
    return AutoModelForCausalLM.from_pretrained(MODEL_FOLDER), AutoTokenizer.from_pretrained(MODEL_FOLDER)


# Fixes of the tokenizer and of the configs


def without_pad_token(model: Any, words: Any) -> None:
    words.pad_token = None


def without_pad_token_while_configs_have_others(model: Any, words: Any) -> None:
    words.pad_token = None
    model.config.pad_token_id, model.generation_config.pad_token_id = 7, 8


def pad_is_eos(model: Any, words: Any) -> None:
    words.pad_token = words.eos_token
    model.generation_config.pad_token_id = words.eos_token_id


def pad_is_bos(model: Any, words: Any) -> None:
    words.pad_token = words.bos_token


def config_says_minus_one(model: Any, words: Any) -> None:
    model.config.pad_token_id = -1


def token_without_a_row(model: Any, words: Any) -> None:
    words.add_special_tokens({"pad_token": "[NEW]"})
    model.resize_token_embeddings(len(words) - 1)


def other_pads(model: Any, words: Any) -> None:
    model.config.pad_token_id, model.generation_config.pad_token_id = 7, 8


def other_eos_and_bos(model: Any, words: Any) -> None:
    model.generation_config.eos_token_id = [7]
    model.config.bos_token_id = 9


def only_generation_config_has_a_pad(model: Any, words: Any) -> None:
    words.pad_token, model.config.pad_token_id, model.generation_config.pad_token_id = None, None, 9


def pads_right(model: Any, words: Any) -> None:
    words.padding_side = "right"


def counts_pads(model: Any, words: Any) -> None:
    model.generation_config.max_length = 21


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("PAD101", without_pad_token),
        ("PAD101", without_pad_token_while_configs_have_others),
        ("PAD102", pad_is_eos),
        ("PAD103", pad_is_bos),
        ("PAD104", config_says_minus_one),
        ("PAD104", token_without_a_row),
        ("PAD105", other_pads),
        ("PAD105", other_eos_and_bos),
        ("PAD105", only_generation_config_has_a_pad),
        ("PAD105", without_pad_token_while_configs_have_others),
        ("PAD106", pads_right),
        ("PAD113", token_without_a_row),
    ],
)
def test_a_fix_of_the_settings_removes_its_finding_and_adds_none(code: str, change: Change) -> None:
    model, words = build_family(torch.float32), tokenizer()
    model.config.pad_token_id = model.generation_config.pad_token_id = words.pad_token_id
    model.config.eos_token_id = model.generation_config.eos_token_id = words.eos_token_id
    model.config.bos_token_id = model.generation_config.bos_token_id = words.bos_token_id
    change(model, words)
    _fix_and_compare(code, model, words, PROMPTS)


def test_the_fix_for_a_vocabulary_without_a_pad_token_brings_only_what_it_announces() -> None:
    _fix_and_compare("PAD101", *demo(), load_prompts())


@needs_real_hub
@pytest.mark.parametrize("code", ["PAD101", "PAD105"])
def test_llama_2_gets_the_pad_token_that_its_generation_config_names(code: str) -> None:
    words = AutoTokenizer.from_pretrained("meta-llama/Llama-2-7b-hf", cache_dir=REAL_HUB)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = build_model(LlamaConfig(vocab_size=32000, **sizes))
    model.generation_config.pad_token_id = 0
    _fix_and_compare(code, model, words, ("one", "and a longer one"))
    assert (words.pad_token, model.generation_config.pad_token_id) == ("<unk>", 0)


def _fix_and_compare(code: str, model: Any, words: Any, prompts: Any) -> None:
    before = compare(model, words, prompts)
    run(found(before)[code].fix, model=model, tokenizer=words)
    after = found(compare(model, words, prompts))
    assert code not in after
    # What could not be decided before may be found now.
    known = {*found(before), *(skipped.code for skipped in before.skipped if "undecided" in skipped.reason)}
    assert {each for each in after if each not in known and (code, each) not in ANNOUNCED} == set()


def test_saved_padding_is_removed_from_the_files(tmp_path: Path) -> None:
    words = tokenizer()
    words(["a", "the dog"], padding=True, truncation=True, max_length=4)
    words.save_pretrained(tmp_path)
    model, loaded = build_family(torch.float32), AutoTokenizer.from_pretrained(tmp_path)
    fix = found(compare(model, loaded))["PAD111"].fix
    run(fix, tokenizer=loaded, folder=tmp_path)
    assert "PAD111" not in found(compare(model, AutoTokenizer.from_pretrained(tmp_path)))


# Fixes that load the model again


@pytest.mark.parametrize(
    ("code", "fault", "attention"),
    [("PAD304", ignored_by_sdpa, "sdpa"), ("PAD301", number_in_eager, "eager"), ("PAD201", number_in_eager, "eager")],
)
@pytest.mark.skipif("left_other_attention" in UNAVAILABLE, reason="the attention of a loaded model cannot change")
def test_another_attention_implementation_removes_the_finding(code: str, fault: Fault, attention: str) -> None:
    class AutoModelForCausalLM:
        @staticmethod
        def from_pretrained(_name: object, attn_implementation: str) -> PreTrainedModel:
            return planted(fault, attn_implementation=attn_implementation)(torch.float32)

    words = tokenizer()
    fix = found(compare(AutoModelForCausalLM.from_pretrained(..., attention), words))[code].fix
    names = {"AutoModelForCausalLM": AutoModelForCausalLM}
    model = eval(fix, names)
    assert not {code, "PAD201"} & found(compare(model, words)).keys()


def test_a_dtype_without_nan_removes_the_finding() -> None:
    model, words = build_family(torch.float16), tokenizer()
    model.model.norm.register_forward_hook(lambda _norm, _args, output: output * 1e5 * 1e-5)  # 1e5 is inf in float16
    fix = found(compare(model, words))["PAD204"].fix
    assert "PAD204" not in found(compare(run(fix, model=model)["model"], words))


def test_a_fault_that_only_16_bit_has_is_gone_in_float32() -> None:
    only_in_16_bit = builders.report(precision=builders.precision(*[2.0] * 20), **builders.in_half(left=0.5))
    model = run(found(only_in_16_bit)["PAD201"].fix, model=build_family(torch.bfloat16))["model"]
    assert model.dtype is torch.float32
    assert "PAD201" not in found(compare(model, tokenizer()))


# Fixes that are calls: with them a padded batch gives what each prompt gives alone


@pytest.fixture(scope="module")
def of_demo() -> dict[str, Finding]:
    """The findings of the demo, with one more: its generation_config counts pads."""
    model, words = demo()
    plain = found(compare(model, words, load_prompts()))
    model.generation_config.max_length = 21
    return found(compare(model, words, load_prompts())) | plain


def inputs_of(words: Any, **options: Any) -> Any:
    words.pad_token = words.pad_token or words.eos_token
    return words(list(load_prompts()), padding=True, return_tensors="pt", **options)


def alone(call: Callable[[Any], torch.Tensor], words: Any) -> list[torch.Tensor]:
    return [call(words(prompt, return_tensors="pt")) for prompt in load_prompts()]


@pytest.mark.parametrize("code", ["PAD106", "PAD202", "PAD203", "PAD112"])
def test_generating_as_the_fix_says_gives_what_the_prompts_give_alone(of_demo: dict[str, Finding], code: str) -> None:
    model, words = demo()
    words.pad_token, asked = (
        words.eos_token,
        {"max_new_tokens": 3, "do_sample": False, "pad_token_id": words.eos_token_id},
    )
    model.generation_config.update(**asked)
    if code in ("PAD203", "PAD112"):
        words.padding_side = "left"
        generated = eval(of_demo[code].fix, {"model": model, "inputs": inputs_of(words)})
    else:
        run(of_demo[code].fix, tokenizer=words)
        generated = model.generate(**inputs_of(words))
    expected = alone(lambda inputs: model.generate(**inputs)[0, inputs.input_ids.shape[1] :], words)
    width = generated.shape[1] - 3
    for row, new in zip(generated[:, width:].tolist(), expected, strict=True):
        assert row[: len(new)] == new.tolist()


def test_without_the_cache_a_model_with_a_broken_cache_is_right() -> None:
    model, words = planted(by_slot_while_decoding, "gpt2")(torch.float32), tokenizer()
    fix = found(compare(model, words))["PAD303"].fix
    model.generation_config.update(max_new_tokens=3, do_sample=False)
    padded = words(list(PROMPTS), padding=True, return_tensors="pt")
    generated = eval(fix, {"model": model, "inputs": padded})
    for row, prompt in zip(generated, PROMPTS, strict=True):
        new = model.generate(**words(prompt, return_tensors="pt"), use_cache=False)[0, -3:]
        assert row[-3:].tolist() == new.tolist()


@pytest.mark.parametrize("code", ["PAD302", "PAD401"])
def test_position_ids_as_the_fix_says_make_left_padded_scores_right(of_demo: dict[str, Finding], code: str) -> None:
    model, words = demo()
    fixes = of_demo | found(compare(planted(by_slot, "gpt2")(torch.float32), tokenizer()))
    inputs = inputs_of(words, padding_side="left")
    positions = run(fixes[code].fix, attention_mask=inputs.attention_mask)["position_ids"]
    with torch.no_grad():
        scores = model(**inputs, position_ids=positions).logits[:, -1]
        assert (scores - torch.cat(alone(lambda one: model(**one).logits[:, -1], words))).abs().max() < 1e-4
        assert (scores - model(**inputs).logits[:, -1]).abs().max() > 0.1


def test_scores_on_the_right_are_right_if_left_ones_are_not() -> None:
    model, words = planted(by_slot, "gpt2")(torch.float32), tokenizer()
    report = padcheck.compare(model, words, list(PROMPTS), task="score")
    run(found(report)["PAD404"].fix, tokenizer=words)
    inputs = words(list(PROMPTS), padding=True, return_tensors="pt")
    last = inputs.attention_mask.sum(dim=1) - 1
    with torch.no_grad():
        scores = model(**inputs).logits[torch.arange(len(PROMPTS)), last]
        expected = torch.cat([model(**words(prompt, return_tensors="pt")).logits[:, -1] for prompt in PROMPTS])
    assert (scores - expected).abs().max() < 1e-3


def test_scores_with_the_inputs_of_generate_are_those_that_it_chooses_by() -> None:
    class Reversed(GPT2LMHeadModel):
        def prepare_inputs_for_generation(
            self, input_ids: torch.Tensor, attention_mask: object = None, **others: Any
        ) -> dict[str, Any]:
            columns = torch.arange(input_ids.shape[1] - 1, -1, -1)
            return {"input_ids": input_ids, "position_ids": columns.expand_as(input_ids), "use_cache": False}

    model, words = build_family(torch.float32, "gpt2", of=Reversed), tokenizer()
    fix = found(compare(model, words))["PAD208"].fix
    given = words(PROMPTS[0], return_tensors="pt", return_token_type_ids=False)
    with torch.no_grad():
        scores = model(**run(fix, model=model, inputs=given)["inputs"]).logits[:, -1]
        plain = model(**given).logits[:, -1]
    asked = {"max_new_tokens": 1, "return_dict_in_generate": True, "output_logits": True}
    chosen_by = model.generate(**given, **asked).logits[0]
    assert (scores - chosen_by).abs().max() < 1e-4
    assert (plain - chosen_by).abs().max() > 0.1


@pytest.mark.parametrize("code", ["PAD102", "PAD403"])
def test_labels_as_the_fix_says_keep_the_eos_of_a_text(of_demo: dict[str, Finding], code: str) -> None:
    model, words = demo()
    words.pad_token = words.eos_token
    fixes = of_demo | {"PAD102": found(compare(model, words, load_prompts()))["PAD102"]}
    texts = [f"{prompt}{words.eos_token}" for prompt in load_prompts()]
    inputs = words(texts, padding=True, return_tensors="pt")
    labels = run(fixes[code].fix, **inputs)["labels"]
    usual = DataCollatorForLanguageModeling(words, mlm=False)([{"input_ids": ids} for ids in inputs.input_ids])
    assert (labels == words.eos_token_id).sum(dim=1).tolist() == [1] * len(texts)
    assert (labels == -100).equal(inputs.attention_mask == 0)
    assert not (usual["labels"] == words.eos_token_id).any()


@pytest.mark.parametrize("code", ["PAD444", "PAD445", "PAD447"])
def test_a_batch_as_the_fix_says_has_the_loss_of_the_texts_alone(code: str) -> None:
    model = with_loss(torch.float32, not_shifted) if code == "PAD444" else build_family(torch.float32)
    words = tokenizer()
    words.pad_token = words.eos_token
    fix = found(padcheck.compare(model, words, PROMPTS, task="train", padding_side=_SIDES[code]))[code].fix
    ids = [[*words(text).input_ids, words.eos_token_id] for text in PROMPTS]
    features = [{"input_ids": each, "attention_mask": [1] * len(each), "labels": each} for each in ids]
    words.padding_side = _SIDES[code]
    if code == "PAD445":
        batch = run(fix, tokenizer=words, DataCollatorForSeq2Seq=DataCollatorForSeq2Seq)["collator"](features)
    else:
        batch = DataCollatorForSeq2Seq(words)(features)
        batch["labels"] = run(fix, tokenizer=words, torch=torch, **batch)["labels"]
    with torch.no_grad():
        losses = [cross_entropy(model(torch.tensor([each])).logits[0, :-1], torch.tensor(each[1:])) for each in ids]
        weights = torch.tensor([len(each) - 1.0 for each in ids])
        expected = (torch.stack(losses) * weights).sum() / weights.sum()
        assert model(**batch).loss == pytest.approx(expected.item(), rel=1e-5)


_SIDES = {"PAD444": "right", "PAD445": "right", "PAD447": "left"}


@pytest.mark.parametrize("code", ["PAD103", "PAD109"])
def test_the_mask_keeps_real_tokens_that_equal_pad(code: str) -> None:
    model, words = demo()
    model.config.eos_token_id = model.generation_config.eos_token_id = None
    words.pad_token = words.unk_token = words.eos_token = None
    words.add_special_tokens({"unk_token": "<|endoftext|>", "pad_token": "<|endoftext|>"})
    texts = ["one<|endoftext|>two", "three four five six"]
    inputs = words(texts, padding=True, return_tensors="pt")
    mask = run(found(compare(model, words, texts))[code].fix, inputs=inputs)["mask"]
    assert mask.sum(dim=1).tolist() == [len(words(text).input_ids) for text in texts]
    assert (inputs.input_ids != words.pad_token_id).sum() < mask.sum()


def test_a_rendered_chat_gets_one_bos() -> None:
    model, words = build_family(torch.float32), tokenizer()
    words.chat_template = "{{ bos_token }} {{ messages[0]['content'] }}"
    fix = found(compare(model, words))["PAD110"].fix
    rendered = words.apply_chat_template([{"role": "user", "content": "the dog"}], tokenize=False)
    inputs = run(fix, tokenizer=words, rendered=rendered)["inputs"]
    assert inputs["input_ids"].count(words.bos_token_id) == 1
    assert words(rendered)["input_ids"].count(words.bos_token_id) == 2


def test_truncated_prompts_fit_into_the_positions() -> None:
    model, words = build_family(torch.float32), tokenizer()
    model.config.max_position_embeddings = 12
    fix = found(compare(model, words))["PAD112"].fix
    inputs = run(fix, tokenizer=words, texts=list(PROMPTS))["inputs"]
    assert max(map(len, inputs["input_ids"])) + 3 == 12


def test_shell_commands_run(padcheck: Callable[..., Any]) -> None:
    for code in ("PAD901", "PAD903"):
        finding = next(each for each in _shell_fixes() if each.code == code)
        program, *arguments = shlex.split(finding.fix, comments=True)
        assert program == "padcheck"
        outcome = padcheck(*("demo" if each == "MODEL" else each for each in arguments), "--format", "json")
        assert outcome.exit_code == 0
        assert code not in outcome.codes


def _shell_fixes() -> list[Finding]:
    reports = (builders.report(**builders.no_padding()), builders.report(**builders.probes(broken_mask=0.0)))
    return [finding for report in reports for finding in report.findings]


def test_right_padding_that_raises_is_avoided_by_the_fix() -> None:
    raised = builders.report(
        runs=builders.runs(right=builders.raised("right")), differences=builders.differences(right=())
    )
    words = demo()[1]
    run(found(raised)["PAD902"].fix, tokenizer=words)
    assert words.padding_side == "left"


@pytest.mark.parametrize("task", ["generating", "scoring", "training"])
def test_the_advice_gives_what_the_prompts_give_alone(task: str) -> None:
    model, words = demo()
    advice = {each.task: each.line for each in compare(model, words, load_prompts()).advice}
    names = {"model": model, "tokenizer": words, "texts": list(load_prompts())}
    model.generation_config.update(max_new_tokens=3, do_sample=False)
    with torch.no_grad():
        scope = run(advice["scoring" if task == "training" else task], **names)
        if task == "generating":
            rows = model.generate(**scope["inputs"])[:, -3:]
            for row, new in zip(
                rows, alone(lambda one: model.generate(**one)[0, one.input_ids.shape[1] :], words), strict=True
            ):
                assert row[: len(new)].tolist() == new.tolist()
        elif task == "scoring":
            last = scope["inputs"].attention_mask.sum(dim=1) - 1
            scores = model(**scope["inputs"]).logits[torch.arange(len(last)), last]
            assert (scores - torch.cat(alone(lambda one: model(**one).logits[:, -1], words))).abs().max() < 1e-4
        else:
            labels = run(advice["training"], **scope)["labels"]
            assert (labels == -100).equal(scope["inputs"].attention_mask == 0)


def test_every_code_has_a_fix_that_is_executed_here_or_a_reason_why_not() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    executed = set(re.findall(r'"(PAD\d{3})"', source.split("# Fixes of the tokenizer", 1)[1]))
    assert {rule.code for rule in RULES} == executed | PROSE.keys()
