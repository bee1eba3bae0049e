"""padcheck.compare gives the same report as the command, and assert_ok() fails like the command does."""

import copy
import doctest
import inspect
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import torch
import zoo
from model_folders import tokenizer_of_one_token
from msgspec.structs import replace
from transformers import AutoModelForCausalLM, AutoTokenizer, T5Config

import padcheck as public
from padcheck import api
from padcheck.api import functions
from padcheck.core import json_io
from padcheck.core.errors import NotMeasuredError, UsageError
from padcheck.core.severity import Severity
from padcheck.demo import MODEL_FOLDER, load_prompts


@pytest.fixture(scope="module")
def demo():
    return AutoModelForCausalLM.from_pretrained(MODEL_FOLDER), AutoTokenizer.from_pretrained(MODEL_FOLDER)


def fault(name: str):
    return next(each for each in zoo.FAULTS if each.name == name).build(torch.float32)


@pytest.mark.parametrize("module", [api, functions], ids=lambda module: module.__name__)
def test_its_examples_run(module):
    found = doctest.testmod(module)
    assert found.attempted >= 10
    assert found.failed == 0


def test_it_gives_the_same_report_as_the_command(demo, padcheck):
    report = public.compare(*demo, load_prompts())
    command = padcheck("compare", "demo", "--format", "json").report
    assert [finding.code for finding in report.findings] == [finding["code"] for finding in command["findings"]]
    assert report.status == command["status"]
    for name, comparison in report.comparisons.items():
        assert comparison.verdict == command["comparisons"][name]["verdict"]
        assert comparison.max_abs_diff == command["comparisons"][name]["max_abs_diff"]


def test_two_calls_differ_only_in_their_times(demo):
    first, second = (public.compare(*demo, max_new_tokens=3) for _ in range(2))
    assert first.seconds.keys() == second.seconds.keys()
    assert replace(first, seconds=second.seconds) == second


@pytest.mark.parametrize(
    "mode", [torch.enable_grad, torch.no_grad, torch.inference_mode], ids=lambda mode: mode.__name__
)
def test_it_works_in_any_mode_of_grad(demo, mode):
    with mode():
        before = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        report = public.compare(*demo, max_new_tokens=2)
        assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == before
    assert report.status == "pass"
    assert all(arm.error is None for arm in report.evidence.runs.values())


def test_a_fault_fails_with_the_short_report():
    report = public.compare(fault("learned positions by slot"), zoo.tokenizer(), zoo.PROMPTS, max_new_tokens=3)
    with pytest.raises(AssertionError) as failed:
        report.assert_ok()
    assert str(failed.value) == str(report)
    assert str(report).startswith("FAIL: left padding changes what the model says")
    assert "PAD302" in str(report)


def test_a_report_without_a_measurement_does_not_pass(demo, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_of_one_token(tmp_path / "model"))
    report = public.compare(demo[0], tokenizer, ["Monday Tuesday"], fail_on=None)
    with pytest.raises(AssertionError, match="NOT MEASURED"):
        report.assert_ok()
    assert "PAD901" in str(report)


def test_fail_on_decides_which_findings_fail(demo):
    strict = public.compare(*demo, max_new_tokens=2, fail_on="warning")
    assert strict.status == "fail"
    assert public.compare(*demo, max_new_tokens=2, fail_on=Severity.ERROR).status == "pass"
    lenient = public.compare(
        *demo, max_new_tokens=2, fail_on="warning", ignore=dict.fromkeys(["PAD1", "PAD2", "PAD4"], "known")
    )
    assert lenient.status == "pass"
    assert lenient.findings == ()


def test_it_is_saved_and_shown_like_any_other_report(demo, padcheck, tmp_path):
    report = public.compare(*demo, max_new_tokens=2)
    file = tmp_path / "report.json"
    file.write_text(json_io.dump(report), encoding="utf-8")
    assert padcheck("render", file, "--format", "json").stdout == file.read_text(encoding="utf-8")


def test_modes_run_if_they_are_asked_for(demo):
    report = public.compare(*demo, max_new_tokens=4, with_modes=["no-cache", "second-turn"])
    assert report.evidence.modes == ("second-turn", "no-cache")
    asked = ("second_turn", "left_second_turn", "uncached", "left_uncached")
    assert all(report.comparisons[run].verdict.within_rounding for run in asked)
    assert "left_second_turn" in str(report)
    assert "second_turn" not in public.compare(*demo, max_new_tokens=4).comparisons


def test_its_repr_is_one_line(demo):
    report = public.compare(*demo, max_new_tokens=2, select=["pad2"])
    assert repr(report).startswith(f"<padcheck.Report of {str(MODEL_FOLDER)!r}: PASS: left padding")
    assert "\n" not in repr(report)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompts": "one text"}, "prompts is 'one text'.\nUse a list of texts"),
        ({"prompts": [5]}, "prompts is (5,).\nUse a list of texts"),
        ({"select": "PAD2"}, "select is 'PAD2'.\nUse a list of texts"),
        ({"select": None}, "select is None.\nUse a list of texts"),
        ({"with_modes": "assisted"}, "with_modes is 'assisted'.\nUse 'static-cache', 'second-turn', "),
        ({"with_modes": ["statik"]}, "with_modes is ('statik',).\nUse 'static-cache', 'second-turn', "),
        ({"ignore": ["PAD106"]}, 'Use a reason for each code: {"PAD106": "why"}'),
        ({"max_new_tokens": "5"}, "max_new_tokens is '5'.\nUse a whole number."),
        ({"batch_size": None}, "batch_size is None.\nUse a whole number or 'auto'."),
        ({"pad_token": 5}, "pad_token is 5.\nUse a text or None."),
        ({"chat": "yes"}, "chat is 'yes'.\nUse True or False."),
        ({"fail_on": 5}, "Use 'info', 'warning', 'error' or None"),
        ({"fail_on": "never"}, "fail_on is 'never'"),
        ({"task": "sing"}, "Use 'generate', 'score', 'train', 'classify', 'embed' or None"),
        ({"padding_side": "both"}, "Use 'left', 'right' or None"),
        ({"select": ["PAD999"]}, "PAD999 names no rule"),
        ({"max_new_tokens": 0}, "max-new-tokens is 0"),
        ({"pad_token": "<nothing>"}, "not in the vocabulary"),
    ],
    ids=str,
)
def test_the_error_for_a_wrong_option_says_what_is_right(demo, options, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        public.compare(*demo, **options)


class Unprintable:
    def __repr__(self):
        raise ValueError


STRANGE_VALUES = (
    *(None, True, -1, 1.5, 10**400, 1j, "5", "", "\udcff", b"5", ..., int, object(), Unprintable()),
    *([5], [None], [["a"]], {5}, {"a": 1}, {1: "a"}, {"PAD1": None}, range(3)),
    *(np.array(5), np.array([5]), torch.tensor(5), torch.tensor([1, 2])),
)
OPTIONS = tuple(inspect.signature(public.compare).parameters)[2:]


class AcceptedError(Exception):
    pass


def accept(*_args):
    raise AcceptedError


@pytest.mark.parametrize("option", OPTIONS)
def test_any_value_of_a_wrong_type_is_a_usage_error(option, monkeypatch):
    monkeypatch.setattr("padcheck.running.one_model.compare_in_memory", accept)
    for value in STRANGE_VALUES:
        with pytest.raises((UsageError, AcceptedError)):
            public.compare(None, None, **{option: value})
    with pytest.raises(UsageError, match=f"^{option} is "):
        public.compare(None, None, **{option: object()})
    with pytest.raises(AcceptedError):
        public.compare(None, None, **{option: inspect.signature(public.compare).parameters[option].default})


def test_numbers_and_texts_of_numpy_are_accepted(demo):
    report = public.compare(*demo, np.array(["Monday", "one two"]), max_new_tokens=np.int64(2), atol=np.float32(0.5))
    assert json_io.dump(report)
    assert report.judgement.atol == 0.5


FIRST_CALL = """
import random, numpy, torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from padcheck.demo import MODEL_FOLDER

def states():
    return random.getstate(), str(numpy.random.get_state()), torch.get_rng_state().tolist()

model, tokenizer = (kind.from_pretrained(MODEL_FOLDER) for kind in (AutoModelForCausalLM, AutoTokenizer))
before = states()
import padcheck
report = padcheck.compare(model, tokenizer, max_new_tokens=2)
print(report)
assert states() == before
"""


def test_the_first_call_of_a_process_keeps_the_random_states():
    done = subprocess.run([sys.executable, "-c", FIRST_CALL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_padcheck_imports_no_heavy_package():
    program = "import sys, padcheck, padcheck.pytest_plugin; print({'torch', 'rich', 'msgspec'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
    assert not hasattr(public, "nothing")
    assert public.Report is api.Report


def test_dir_lists_what_is_public():
    assert dir(public) == ["Report", "__version__", "compare", "errors", "inspect_tokenizer", "watch"]
    assert all(hasattr(public, name) for name in dir(public))


def test_a_tokenizer_gives_the_same_report_as_the_command(demo, padcheck):
    model, tokenizer = demo
    before = dict(vars(tokenizer))
    report = public.inspect_tokenizer(
        tokenizer, load_prompts(), config=model.config, generation_config=model.generation_config
    )
    command = padcheck("inspect-tokenizer", "demo", "--format", "json").report
    ours = json.loads(report.to_json())
    for key in ("special_token_ids", "tokenizer", "samples", "findings", "generation_config", "status"):
        assert ours[key] == command[key]
    assert vars(tokenizer) == before
    assert report.comparisons == {}


def test_a_tokenizer_without_config_is_inspected_alone(demo):
    report = public.inspect_tokenizer(demo[1], ["one", "two three four"], select=["pad106"])
    assert [finding.code for finding in report.findings] == ["PAD106"]
    assert report.evidence.special_token_ids.config.eos is None
    assert any("no config" in warning for warning in report.evidence.load_warnings)


def test_a_config_that_disagrees_with_the_tokenizer_is_reported(demo):
    model, tokenizer = demo
    config = copy.deepcopy(model.config)
    config.eos_token_id = 7
    codes = {finding.code for finding in public.inspect_tokenizer(tokenizer, config=config).findings}
    assert "PAD105" in codes
    assert "PAD105" not in {
        finding.code for finding in public.inspect_tokenizer(tokenizer, config=model.config).findings
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tokenizer": "gpt2"}, "The tokenizer is a str, not a tokenizer"),
        ({"config": {}}, "The config is a dict, not a Pre"),
        ({"generation_config": 5}, "The generation_config is a int, not a GenerationConfig"),
        ({"chat": 1}, "chat is 1."),
        ({"select": ["PAD999"]}, "PAD999 names no rule"),
    ],
    ids=str,
)
def test_wrong_objects_for_an_inspection_are_usage_errors(demo, given, message):
    with pytest.raises(UsageError, match=re.escape(message)):
        public.inspect_tokenizer(**{"tokenizer": demo[1]} | given)


def test_an_encoder_decoder_config_is_not_measured(demo):
    with pytest.raises(NotMeasuredError, match="encoder-decoder"):
        public.inspect_tokenizer(demo[1], config=T5Config())


def test_conversations_are_rendered_with_their_system_prompts():
    tokenizer = AutoTokenizer.from_pretrained(MODEL_FOLDER)
    chat = [{"role": "system", "content": "one"}, {"role": "user", "content": "two"}]
    with pytest.raises(UsageError, match="The prompts are chats, but the tokenizer has no chat template"):
        public.inspect_tokenizer(tokenizer, [chat])
    tokenizer.chat_template = "{% for each in messages %}{{ each.role[0] }} {{ each.content }}. {% endfor %}"
    report = public.inspect_tokenizer(tokenizer, [chat, "three"])
    assert report.evidence.prompts == ("s one. u two. ", "u three. ")
    with pytest.raises(UsageError, match="A message of prompt 0 has no role or no content"):
        public.inspect_tokenizer(tokenizer, [[{"role": "user"}]])
    with pytest.raises(UsageError, match="Prompt 1 is empty"):
        public.inspect_tokenizer(tokenizer, ["one", []])
