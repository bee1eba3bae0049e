"""`padcheck.watch` in Python, and pytest --padcheck-watch."""

import subprocess
import sys
from contextlib import nullcontext

import pytest
import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

import padcheck
from padcheck.demo import MODEL_FOLDER
from padcheck.errors import UsageError

TEXTS = ["Monday Tuesday Wednesday", "January"]


@pytest.fixture
def tokenizer():
    tokenizer = AutoTokenizer.from_pretrained(MODEL_FOLDER)
    tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


@pytest.fixture
def model():
    return AutoModelForCausalLM.from_pretrained(MODEL_FOLDER).eval()


def codes(watched):
    return [finding.code for finding in watched.findings]


def test_a_context_reports_mistakes_at_their_line(model, tokenizer, capsys):
    batch_before = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with padcheck.watch() as watched:
        model.generate(**batch_before, max_new_tokens=2)  # its texts are unknown: they were encoded before
        batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
        model.generate(**batch, max_new_tokens=2)
    assert codes(watched) == ["PAD501"]
    assert watched.findings[0].source == "model.generate(**batch, max_new_tokens=2)"
    assert watched.findings[0].file.endswith("test_watch.py")
    assert "PAD501" in capsys.readouterr().err
    with pytest.raises(AssertionError, match="PAD501"):
        watched.assert_ok()


def test_a_decorated_function_is_watched_in_each_call(model, tokenizer, capsys):
    @padcheck.watch()
    def answer():
        return model.generate(**tokenizer(TEXTS, padding=True, return_tensors="pt"), max_new_tokens=2)

    answer()
    answer()
    assert capsys.readouterr().err.count("PAD501") == 1


def test_nothing_watched_is_no_pass():
    with padcheck.watch() as watched:
        pass
    assert watched.report.status == "not_measured"
    with pytest.raises(AssertionError, match="NOTHING WATCHED"):
        watched.assert_ok()


def test_its_value_in_a_notebook_is_the_conclusion():
    with padcheck.watch() as watched:
        pass
    assert repr(watched).startswith("<padcheck.watch: NOTHING WATCHED: ")


def test_an_unknown_code_is_rejected():
    with pytest.raises(UsageError):
        padcheck.watch(select=["PAD599"])


@pytest.mark.parametrize("fails", [False, True])
def test_all_patches_are_removed_also_after_an_error(model, tokenizer, fails):
    owners = (PreTrainedModel, PreTrainedTokenizerBase, type(model).__mro__[2])
    before = [dict(vars(owner)) for owner in owners]
    with pytest.raises(ZeroDivisionError) if fails else nullcontext(), padcheck.watch():
        assert dict(vars(PreTrainedModel)) != before[0]
        if fails:
            1 / 0  # noqa: B018
    assert [dict(vars(owner)) for owner in owners] == before
    assert torch.overrides._get_current_function_mode() is None


def test_the_model_is_as_before(model, tokenizer):
    seen = []
    model.transformer.h[0].register_forward_hook(lambda _module, args, _output: seen.append(args[0].shape))
    model.train()
    state = torch.get_rng_state()
    config = model.config.to_dict()
    with padcheck.watch() as watched:
        batch = tokenizer(TEXTS, padding=True, padding_side="left", return_tensors="pt")
        torch.manual_seed(0)
        model(**batch)
        after = torch.get_rng_state()
    assert codes(watched) == ["PAD507"]
    assert len(seen) == 1
    assert all(module.training for module in model.modules())
    assert model.config.to_dict() == config
    torch.manual_seed(0)
    model(**batch)
    assert torch.equal(torch.get_rng_state(), after)
    torch.set_rng_state(state)


def test_one_watch_inside_another_sees_no_runs_of_the_other(model, tokenizer):
    with padcheck.watch() as outer, padcheck.watch() as inner:
        model.generate(**tokenizer(TEXTS, padding=True, return_tensors="pt"), max_new_tokens=2)
    assert codes(inner) == codes(outer) == ["PAD501"]
    assert inner.report.calls.generate == outer.report.calls.generate == 1


def test_a_comment_with_a_reason_accepts_a_finding(model, tokenizer):
    with padcheck.watch() as watched:
        batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
        model.generate(**batch, max_new_tokens=2)  # padcheck: ignore[PAD501] the answers are thrown away
        model.generate(**batch, max_new_tokens=2)  # padcheck: ignore[PAD501]
        model.generate(**batch, max_new_tokens=2)  # padcheck: ignore[PAD502] another code
    assert [each.reason for each in watched.report.suppressed] == ["the answers are thrown away"]
    assert codes(watched) == ["PAD501", "PAD501"]


def test_pytest_fails_a_test_with_a_mistake(tmp_path):
    (tmp_path / "test_user.py").write_text(
        f"""
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained({str(MODEL_FOLDER)!r})
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained({str(MODEL_FOLDER)!r}).eval()

def run(side):
    batch = tokenizer({TEXTS!r}, padding=True, padding_side=side, return_tensors="pt")
    model.generate(**batch, max_new_tokens=2)

def test_wrong():
    run("right")

def test_right():
    run("left")
"""
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "test_user.py"]
    watched = subprocess.run([*command, "--padcheck-watch"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 failed, 1 passed" in watched.stdout
    assert "test_user.py:10: PAD501: generate() continues" in watched.stdout
    bare = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "2 passed" in bare.stdout


def test_a_side_that_a_pipeline_has_set_is_reported(model, tokenizer):
    if int(transformers.__version__.split(".")[0]) < 5:
        pytest.skip("pipelines of this version leave the side as it is")
    with padcheck.watch() as watched:
        tokenizer.padding_side = "right"
        transformers.pipeline("text-generation", model=model, tokenizer=tokenizer)
        assert tokenizer.padding_side == "left"
        model(**tokenizer(TEXTS, padding=True, return_tensors="pt"))
        model(**tokenizer(TEXTS, padding=True, padding_side="left", return_tensors="pt"))
        tokenizer.padding_side = "right"
        model(**tokenizer(TEXTS, padding=True, return_tensors="pt"))
    assert codes(watched) == ["PAD522", "PAD507"]
    assert "transformers, which was called in line" in watched.findings[0].message


@pytest.mark.parametrize(("column", "is_right"), [(0, True), (-1, False)])
def test_results_of_two_contexts_are_compared(model, tokenizer, column, is_right):
    def run(watched):
        with watched:
            batch = tokenizer(TEXTS, padding=True, return_tensors="pt")
            watched.result("column", model(**batch).logits[:, column])

    plain, wider = padcheck.watch(), padcheck.watch(widen=3)
    run(plain)
    run(wider)
    with nullcontext() if is_right else pytest.raises(AssertionError, match="result column: '"):
        wider.assert_same_results(plain)
    for one, other in ((plain, wider), (wider, wider), (plain, plain)):
        with pytest.raises(UsageError):
            one.assert_same_results(other)


def test_nothing_compared_is_no_pass(model, tokenizer):
    plain, wider = padcheck.watch(), padcheck.watch(widen=3)
    for watched in (plain, wider):
        with watched:
            watched.result("alone", model(**tokenizer(TEXTS[0], return_tensors="pt")).logits)
    with pytest.raises(AssertionError, match="NOTHING COMPARED"):
        wider.assert_same_results(plain)


@pytest.mark.parametrize("columns", [-1, 1.5, True, "3"])
def test_a_wrong_number_of_columns_is_rejected(columns):
    with pytest.raises(UsageError):
        padcheck.watch(widen=columns)


def test_a_result_that_cannot_be_compared_is_rejected():
    with pytest.raises(UsageError, match="a set, which cannot be compared"), padcheck.watch() as watched:
        watched.result("some", {1, 2})
