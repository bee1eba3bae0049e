"""Models in other forms: compiled, quantized, with an adapter, spread over CPU and disk, and on a GPU that is full."""

from functools import wraps

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import padcheck
from padcheck.demo import MODEL_FOLDER


def load(**options):
    return AutoModelForCausalLM.from_pretrained(MODEL_FOLDER, **options).eval()


def compiled(tmp_path):
    return torch.compile(load(), backend="eager")


def compiled_in_place(tmp_path):
    model = load()
    model.compile(backend="eager")
    return model


def quantized(tmp_path):
    return torch.ao.quantization.quantize_dynamic(load(), {torch.nn.Linear}, dtype=torch.qint8)


def adapted(tmp_path):
    peft = pytest.importorskip("peft")
    settings = peft.LoraConfig(task_type="CAUSAL_LM", target_modules=["c_attn"], fan_in_fan_out=True)
    return peft.get_peft_model(load(), settings).eval()


def spread(tmp_path):
    places = {f"transformer.{name}": "cpu" for name in ("wte", "wpe", "drop", "ln_f")} | {"lm_head": "cpu"}
    layers = {f"transformer.h.{number}": "disk" if number else "cpu" for number in range(load().config.n_layer)}
    return load(device_map=places | layers, offload_folder=str(tmp_path))


def answer(model, side):
    """What a program reads from a model, right or wrong by the side."""
    tokenizer = AutoTokenizer.from_pretrained(MODEL_FOLDER, padding_side=side)
    tokenizer.pad_token = tokenizer.eos_token
    batch = tokenizer(["Monday Tuesday Wednesday", "January"], padding=True, return_tensors="pt")
    positions = (batch["attention_mask"].cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        generated = model.generate(**batch, max_new_tokens=2).tolist()
        logits = model(**batch, position_ids=positions).logits
        return generated, logits[:, -1].argmax(-1).tolist()


def watched_answer(model, side):
    with padcheck.watch() as watched:
        read = answer(model, side)
    return watched.report, read


@pytest.mark.filterwarnings("ignore")  # torch.ao is deprecated
@pytest.mark.parametrize("form", [compiled, compiled_in_place, quantized, adapted, spread])
def test_mistakes_are_found_and_right_programs_are_silent(form, tmp_path):
    report, read = watched_answer(form(tmp_path), "right")
    codes = {finding.code for finding in report.findings}
    assert codes <= {"PAD501", "PAD508"}
    # Dynamic quantization takes its scales from the batch, so a corrected call may differ from the rows alone too.
    assert codes >= ({"PAD508"} if form is quantized else {"PAD501", "PAD508"})
    assert report.notes == ()
    assert read == answer(form(tmp_path), "right")
    report, _ = watched_answer(form(tmp_path), "left")
    assert report.findings == report.notes == ()
    assert (report.calls.generate, report.calls.forward) == (1, 1)


def test_a_model_is_compiled_and_watched_in_the_context(tmp_path):
    original = torch.compile
    with padcheck.watch() as watched:
        model = compiled(tmp_path)
        answer(model, "right")
        assert torch.compile is not original
    assert torch.compile is original
    assert [finding.code for finding in watched.findings] == ["PAD501", "PAD508"]
    answer(model, "right")
    assert watched.report.calls.forward == 1


def test_a_full_accelerator_is_said_and_the_program_goes_on(monkeypatch):
    model = load()
    forward = type(model).forward

    @wraps(forward)
    def only_the_users(self, input_ids=None, **arguments):
        if len(input_ids) == 1:  # a row alone
            raise torch.OutOfMemoryError("CUDA out of memory")
        return forward(self, input_ids, **arguments)

    expected = answer(model, "right")
    monkeypatch.setattr(type(model), "forward", only_the_users)
    monkeypatch.setattr("padcheck.watching.watcher.is_user_file", lambda file: False)
    report, read = watched_answer(model, "right")
    assert read == expected
    assert [finding.code for finding in report.findings] == ["PAD508"]  # which needs no run of a row alone
    [note] = report.notes
    assert note.endswith("not compared with the rows alone: the accelerator's memory is full")
    assert "test_models.py:" in note
