"""Models given as objects: their name in the report, their dtype and device, and those that cannot be measured."""

import logging

import model_folders as folders
import pytest
import torch
import transformers
import zoo
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertLMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    T5Config,
    T5ForConditionalGeneration,
)
from transformers.utils import is_bitsandbytes_available
from zoo.families import build_family

import padcheck as public
from padcheck.core.errors import NotMeasuredError, UsageError


def compared(model: object, tokenizer: object = None, **options: object) -> public.Report:
    return public.compare(model, tokenizer or zoo.tokenizer(), zoo.PROMPTS, max_new_tokens=3, **options)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_a_model_without_a_name_is_named_after_its_class(dtype):
    report = compared(build_family(dtype))
    report.assert_ok()
    facts = report.evidence.model
    assert (facts.id, facts.revision, facts.weights) == ("LlamaForCausalLM", None, None)
    assert (facts.dtype, facts.device) == (str(dtype).removeprefix("torch."), "cpu")
    assert "weights" not in str(report)


def test_a_model_from_a_folder_is_named_after_the_folder(tmp_path):
    folders.tokenizer_json(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path)
    model.config._commit_hash = "0123abc"
    facts = compared(model, AutoTokenizer.from_pretrained(tmp_path)).evidence.model
    assert (facts.id, facts.revision) == (str(tmp_path), "0123abc")


def test_a_custom_class_that_transformers_does_not_know():
    class OwnConfig(LlamaConfig):
        model_type = "pocket"

    class OwnModel(LlamaForCausalLM):
        config_class = OwnConfig

    own = OwnModel(OwnConfig(**build_family(torch.float32).config.to_diff_dict()))
    report = compared(own)
    assert report.status == "pass", str(report)
    assert report.evidence.model.architecture == "OwnModel"


def test_a_peft_adapter_is_measured_with_its_weights():
    peft = pytest.importorskip("peft")
    base = build_family(torch.float32)
    plain = compared(base)
    settings = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj"], init_lora_weights=False, lora_dropout=0.5)
    model = peft.get_peft_model(base, settings).train()
    before = [(name, id(value)) for module in model.modules() for name, value in vars(module).items()]
    report = compared(model)
    report.assert_ok()
    assert report.evidence.model.id == "PeftModel of LlamaForCausalLM"
    assert report.evidence.runs["single"].rows != plain.evidence.runs["single"].rows
    assert [(name, id(value)) for module in model.modules() for name, value in vars(module).items()] == before


def test_a_learned_prompt_of_peft_is_refused():
    peft = pytest.importorskip("peft")
    settings = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    with pytest.raises(NotMeasuredError, match="is a learned prompt"):
        compared(peft.get_peft_model(build_family(torch.float32), settings))


def test_weights_that_accelerate_has_put_on_disk_are_there_afterwards(tmp_path):
    folders.tokenizer_json(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    plain = compared(AutoModelForCausalLM.from_pretrained(tmp_path), tokenizer)
    parts = ("model.embed_tokens", "model.rotary_emb", "model.layers.0", "model.norm", "lm_head")
    places = dict.fromkeys(parts, "cpu") | {"model.layers.1": "disk"}
    model = AutoModelForCausalLM.from_pretrained(tmp_path, device_map=places, offload_folder=tmp_path / "offloaded")
    devices = {name: parameter.device.type for name, parameter in model.named_parameters()}
    forward = model.forward
    report = compared(model, tokenizer)
    assert report.evidence.runs["single"].rows == plain.evidence.runs["single"].rows
    assert set(devices.values()) == {"cpu", "meta"}
    assert {name: parameter.device.type for name, parameter in model.named_parameters()} == devices
    assert model.forward == forward


@pytest.mark.skipif(
    transformers.__version__ < "5" or not is_bitsandbytes_available(),
    reason="bitsandbytes runs on a CPU with transformers 5 and newer, if it is installed",
)
def test_a_quantized_model(tmp_path):
    folders.quantized(tmp_path)
    model = AutoModelForCausalLM.from_pretrained(tmp_path, device_map="cpu")
    report = compared(model, AutoTokenizer.from_pretrained(tmp_path))
    assert report.evidence.model.quantization == "bitsandbytes, LLM.int8"
    assert report.evidence.runs["left"].error is None


def encoder_decoder():
    sizes = {"d_model": 16, "d_ff": 16, "num_layers": 1, "num_heads": 2, "d_kv": 8}
    return T5ForConditionalGeneration(T5Config(vocab_size=64, decoder_start_token_id=0, **sizes))


def encoder():
    return BertLMHeadModel(BertConfig(vocab_size=64, hidden_size=16, num_hidden_layers=1, num_attention_heads=2))


def bare():
    return AutoModel.from_config(build_family(torch.float32).config)


def classifier():
    return AutoModelForSequenceClassification.from_config(build_family(torch.float32).config)


def without_weights():
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(build_family(torch.float32).config)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (encoder_decoder, "is an encoder-decoder model"),
        (encoder, "is an encoder-only model"),
        (bare, "LlamaModel generates no text"),
        (classifier, "LlamaForSequenceClassification generates no text"),
        (without_weights, "is on the device meta"),
    ],
)
def test_a_model_that_generates_no_text_is_not_measured(build, message):
    with pytest.raises(NotMeasuredError, match=message):
        compared(build())


@pytest.mark.parametrize(
    ("wrap", "message"),
    [
        (torch.nn.DataParallel, "The model is a DataParallel, not a PreTrainedModel"),
        (torch.compile, "The model is a OptimizedModule"),
        (lambda _model: "gpt2", "The model is a str"),
    ],
)
def test_an_object_that_is_not_a_model_is_a_usage_error(wrap, message):
    with pytest.raises(UsageError, match=message):
        compared(wrap(build_family(torch.float32)))


def test_an_object_that_is_not_a_tokenizer_is_a_usage_error():
    with pytest.raises(UsageError, match="The tokenizer is a Logger"):
        compared(build_family(torch.float32), logging.getLogger(__name__))
