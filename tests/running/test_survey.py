"""The survey as a user runs it, on real architectures at toy size, also on some that cannot be judged."""

import json
from functools import partial

import jobs
import pytest
import transformers
from conftest import run_in_process
from transformers.models.auto.configuration_auto import CONFIG_MAPPING_NAMES

from padcheck.core.errors import NotMeasuredError
from padcheck.core.exit_codes import ExitCode
from padcheck.core.progress import Silent
from padcheck.core.settings import JudgeSettings, MeasureSettings
from padcheck.core.verdicts import Verdict
from padcheck.running import survey
from padcheck.running.one_model import compare_architecture

OLD = transformers.__version__.startswith("4.")
MODEL_TYPES = ("gpt2", "llama", "mamba", "rwkv", "bart", "bert", "gpt_neox")
CONTRACT = ("left_generate", "right_generate", "left_forward_no_position_ids", "right_score", "left_no_mask")


@pytest.fixture(scope="module")
def outcome():
    """One survey that many tests use: several model types, in two processes."""
    return run_in_process("survey", *MODEL_TYPES, "--jobs", 2, "--format", "json")


@pytest.fixture(scope="module")
def saved(outcome, tmp_path_factory):
    path = tmp_path_factory.mktemp("survey") / "survey.json"
    path.write_text(outcome.stdout, encoding="utf-8")
    return path


def of(outcome, model_type):
    return next(each for each in outcome.report["architectures"] if each["model_type"] == model_type)


def variant_of(outcome, model_type, variant=None):
    """The line of a variant; of the default config if none is named."""
    found = of(outcome, model_type)
    return next(each for each in found["variants"] or [found] if each["variant"] == variant)


def test_the_document_has_the_documented_keys(outcome):
    report = outcome.report
    assert (report["schema_version"], report["command"]) == (1, "survey")
    assert [each["model_type"] for each in report["architectures"]] == list(MODEL_TYPES)
    for each in report["architectures"]:
        assert each["status"] == "judged"
        assert set(CONTRACT) <= set(each["verdicts"])
        assert each["reason"] is None
        assert each["seconds"] > 0
        assert each["findings"] == [finding["code"] for finding in each["details"]]
    assert all(line.startswith("padcheck: surveying: ") for line in outcome.stderr.splitlines())


@pytest.mark.parametrize("model_type", ["gpt2", "llama", "mamba", "bert", "gpt_neox"])
def test_left_padding_is_harmless_if_transformers_supports_it(outcome, model_type):
    verdicts = variant_of(outcome, model_type)["verdicts"]
    assert verdicts["left_generate"] in ("identical", "equivalent")
    assert verdicts["left_first_token"] in ("identical", "equivalent")
    assert verdicts["right_score"] in ("identical", "equivalent")
    assert verdicts["right_generate"] == "different"
    assert verdicts["left_no_mask"] == "different"


@pytest.mark.parametrize("model_type", ["rwkv", "bart"])
def test_known_limits_are_named_and_measured(outcome, model_type):
    found = of(outcome, model_type)
    assert found["known_limit"]
    assert "PAD207" in found["findings"]
    assert found["verdicts"]["left_generate"] == "different"


def test_learned_positions_need_position_ids_in_forward(outcome):
    for model_type, wrong in (("gpt2", True), ("bert", True), ("llama", False), ("gpt_neox", False)):
        found = variant_of(outcome, model_type)
        assert ("PAD401" in found["findings"]) == wrong
        assert (found["verdicts"]["left_forward_no_position_ids"] == "different") == wrong


def test_a_model_type_has_the_worst_verdicts_of_its_variants_and_the_findings_of_all(outcome):
    found, default = of(outcome, "llama"), variant_of(outcome, "llama")
    dynamic = variant_of(outcome, "llama", "dynamic")
    assert [each["variant"] for each in found["variants"]][:2] == [None, "dynamic"]
    assert default["verdicts"]["left_generate"] in ("identical", "equivalent")
    assert found["verdicts"]["left_generate"] == dynamic["verdicts"]["left_generate"] == "different"
    assert found["exit_code"] == dynamic["exit_code"] == 1
    assert default["exit_code"] == 0
    assert set(found["findings"]) >= set(default["findings"]) | set(dynamic["findings"])
    assert of(outcome, "gpt2")["variants"] == []
    assert of(outcome, "gpt2")["variant"] is None


@pytest.mark.parametrize(
    ("model_type", "variant", "codes"),
    [
        # One long row of a batch decides for all rows.
        ("llama", "dynamic", {"PAD206"}),
        ("phi3", "longrope", {"PAD206"}),
        ("minicpm3", "longrope", {"PAD206"}),
        # Keys in the cache keep the frequencies of their time.
        ("llama", "dynamic-decoding", {"PAD208"}),
        ("minicpm3", "longrope-decoding", {"PAD208"}),
        ("phi4_multimodal", "longrope-decoding", {"PAD208"}),
        # The cache is rebuilt when the tokens, pads included, pass the limit.
        ("phi3", "longrope-decoding", {"PAD201", "PAD303"}),
        # The mask is cut to one column.
        ("minimax", "linear-first", {"PAD201", "PAD303"}),
        # Queries are scaled by positions that count pads.
        ("ministral3", None, {"PAD401"}),
    ],
)
def test_what_changes_at_a_length_is_found_with_its_cause(model_type, variant, codes):
    if model_type not in CONFIG_MAPPING_NAMES:
        pytest.skip(f"this version of transformers has no {model_type}")
    if OLD and (model_type, variant) == ("phi3", "longrope-decoding"):
        codes = {"PAD206"}  # there, a row without pads differs too
    found = survey._judge_variant(model_type, variant, MeasureSettings(max_new_tokens=6), JudgeSettings())
    assert set(found.findings) - {"PAD202", "PAD203"} == codes


def test_one_pad_is_enough_for_a_wrong_cache_in_phi3():
    measure = MeasureSettings(model="phi3+longrope-decoding", tiny=True, max_new_tokens=6)
    report = compare_architecture(measure, JudgeSettings(), Silent())
    alone = {row.num_pad_tokens: row.verdict.value for row in report.comparisons["left_alone"].rows}
    assert alone[1] == "different"
    assert alone[0] != "different"


@pytest.mark.parametrize("model_type", [*([] if OLD else ["phimoe"]), "qwen3", "deepseek_v3", "starcoder2"])
def test_a_variant_that_is_right_stays_right(model_type):
    if model_type not in CONFIG_MAPPING_NAMES:
        pytest.skip(f"this version of transformers has no {model_type}")
    found = survey._judge_architecture(model_type, MeasureSettings(max_new_tokens=6), JudgeSettings())
    assert len(found.variants) > 1
    assert all(each.verdicts["left_generate"].within_rounding for each in found.variants)


def test_rwkv_differs_in_any_batch(outcome):
    assert of(outcome, "rwkv")["verdicts"]["batch_of_copies"] == "different"
    assert "PAD206" in of(outcome, "rwkv")["findings"]


def test_modes_are_added_if_they_are_asked_for(padcheck, outcome):
    options = ("--with", "static-cache,no-cache", "--with", "second-turn", "--format", "json")
    found = padcheck("survey", "olmo", "jamba", *options)
    olmo, jamba = of(found, "olmo")["verdicts"], of(found, "jamba")["verdicts"]
    runs = {f"{side}{run}" for side in ("", "left_") for run in ("static_cache", "second_turn", "uncached")}
    assert {olmo[run] for run in runs} <= {"identical", "equivalent"}
    assert jamba["second_turn"] == "different"
    assert "PAD209" in of(found, "jamba")["findings"]
    assert found.report["settings"]["with_modes"] == ["static-cache", "second-turn", "no-cache"]
    assert not runs & set(of(outcome, "llama")["verdicts"])


def test_findings_make_it_fail(outcome):
    assert outcome.report["status"] == "fail"
    assert outcome.exit_code == outcome.report["exit_code"] == 1


@pytest.mark.parametrize("fmt", ["table", "json", "markdown", "svg", "html"])
def test_it_can_be_shown_again_in_any_format(padcheck, saved, fmt):
    shown = padcheck("render", saved, "--format", fmt)
    assert shown.exit_code == 1
    assert "rwkv" in shown.stdout
    if fmt == "json":
        assert shown.stdout == saved.read_text(encoding="utf-8")


@pytest.mark.parametrize(("fail_on", "exit_code"), [("never", 0), ("error", 1), ("warning", 1)])
def test_it_is_judged_again_by_severity(padcheck, saved, fail_on, exit_code):
    shown = padcheck("render", saved, "--format", "json", "--fail-on", fail_on)
    assert shown.exit_code == shown.report["exit_code"] == exit_code


@pytest.mark.parametrize("options", [("--atol", "1"), ("--rtol", "1"), ("--ignore", "PAD207"), ("--select", "PAD201")])
def test_a_saved_survey_cannot_be_judged_with_other_tolerances_or_codes(padcheck, saved, options):
    outcome = padcheck("render", saved, *options)
    assert outcome.exit_code == 2
    assert "do not work with a saved survey" in outcome.stderr


def test_the_settings_of_the_judgement_are_kept_and_shown(padcheck, tmp_path):
    path = tmp_path / "survey.json"
    padcheck("survey", "llama", "--atol", "0.5", "--ignore", "PAD2", "--format", "json", "--output", path)
    judgement = json.loads(path.read_text(encoding="utf-8"))["judgement"]
    assert (judgement["atol"], judgement["rtol"]) == (0.5, None)
    assert judgement["ignore"] == {"PAD2": "left out by --ignore"}
    assert "atol 0.5, ignore PAD2" in " ".join(padcheck("render", path).stdout.split())


def test_a_run_that_did_not_happen_does_not_count_as_right(padcheck, saved, tmp_path):
    document = json.loads(saved.read_text(encoding="utf-8"))
    for architecture in document["architectures"]:
        for line in (architecture, *architecture["variants"]):
            line["verdicts"] = dict.fromkeys(line["verdicts"], "not_run")
    (tmp_path / "not run.json").write_text(json.dumps(document), encoding="utf-8")
    shown = padcheck("render", tmp_path / "not run.json").stdout
    assert ", 0 of them right in every variant with left padding" in " ".join(shown.split())
    assert "not seen here" not in shown


def test_an_empty_survey_does_not_pass(padcheck, saved, tmp_path):
    document = json.loads(saved.read_text(encoding="utf-8")) | {"architectures": []}
    (tmp_path / "empty.json").write_text(json.dumps(document), encoding="utf-8")
    outcome = padcheck("render", tmp_path / "empty.json")
    assert (outcome.exit_code, outcome.stdout) == (2, "")


def test_a_truncated_survey_is_a_usage_error(padcheck, saved, tmp_path):
    document = json.loads(saved.read_text(encoding="utf-8"))
    del document["architectures"][0]["seconds"]
    (tmp_path / "cut.json").write_text(json.dumps(document), encoding="utf-8")
    outcome = padcheck("render", tmp_path / "cut.json")
    assert outcome.exit_code == 2
    assert "seconds" in outcome.stderr


def test_a_tolerance_that_allows_anything_finds_nothing(padcheck):
    outcome = padcheck("survey", "bart", "--atol", "1000", "--format", "json")
    # The faults made on purpose are not seen either.
    assert outcome.exit_code == 3
    assert "made on purpose" in of(outcome, "bart")["reason"]


def test_an_architecture_that_does_not_run_on_text_is_listed_and_the_others_run(padcheck):
    outcome = padcheck("survey", "llama", "musicgen", "--format", "json")
    assert outcome.exit_code == 3
    assert of(outcome, "llama")["status"] == "judged"
    assert of(outcome, "musicgen")["status"] == "not_built"
    assert "audio codebooks" in of(outcome, "musicgen")["reason"]


def test_an_architecture_that_takes_too_long_is_listed(padcheck, monkeypatch):
    monkeypatch.setattr(survey, "_judge_architecture", jobs.hang)
    outcome = padcheck("survey", "llama", "--timeout", "0.01", "--format", "json")
    assert outcome.exit_code == 3
    assert of(outcome, "llama")["reason"] == "it did not end within 0.01 seconds"


def test_a_worker_that_is_killed_while_it_starts_does_not_stop_the_others(padcheck, tmp_path, monkeypatch):
    monkeypatch.setattr(survey, "_import_all", partial(jobs.die_the_first_time, str(tmp_path / "died")))
    outcome = padcheck("survey", "llama", "gpt2", "--jobs", 1, "--format", "json")
    assert outcome.exit_code == 3
    assert of(outcome, "llama")["status"] == "not_built"
    assert of(outcome, "llama")["reason"] == "its process ended before the call began"
    assert of(outcome, "gpt2")["status"] == "judged"


def test_a_model_that_counts_positions_its_own_way_has_a_right_cache(padcheck):
    outcome = padcheck("survey", "roberta", "--format", "json")
    verdicts = of(outcome, "roberta")["verdicts"]
    assert verdicts["right_continue"] in ("identical", "equivalent")
    assert verdicts["right_score"] in ("identical", "equivalent")


def test_in_16_bit_a_difference_of_generate_and_forward_is_no_fault_of_padding(padcheck):
    outcome = padcheck("survey", "roberta", "--dtype", "bfloat16", "--format", "json")
    assert "PAD208" in of(outcome, "roberta")["findings"]
    assert "PAD402" not in of(outcome, "roberta")["findings"]
    assert outcome.exit_code == 0


def test_an_attention_implementation_that_one_architecture_lacks_does_not_stop_the_others(padcheck):
    # Not flex_attention: compiling it takes minutes on a slow machine.
    outcome = padcheck("survey", "llama", "xlnet", "--attn-implementation", "sdpa", "--format", "json")
    assert of(outcome, "xlnet")["status"] == "not_built"
    assert "sdpa" in of(outcome, "xlnet")["reason"]
    assert of(outcome, "llama")["status"] == "judged"
    assert outcome.exit_code == 3


def test_the_language_model_of_a_multimodal_class_is_judged_on_text(padcheck):
    outcome = padcheck("survey", "llava", "--format", "json")
    assert outcome.exit_code == 0
    assert of(outcome, "llava")["architecture"] == "LlavaForConditionalGeneration"
    assert of(outcome, "llava")["verdicts"]["left_generate"] in ("identical", "equivalent")


@pytest.mark.parametrize(
    ("wanted", "says"), [("lama", "llama"), ("meta-llama/Llama-2-7b-hf", "There are"), ("bart-large", "bart")]
)
def test_an_unknown_model_type_is_a_wrong_command_line(padcheck, wanted, says):
    outcome = padcheck("survey", wanted)
    assert outcome.exit_code == 2
    assert f"{wanted} is not a model type" in outcome.stderr
    assert says in outcome.stderr


@pytest.mark.parametrize(
    "options",
    [
        *(("--jobs", "0"), ("--timeout", "0"), ("--timeout", "nan"), ("--select", "XYZ")),
        *(("--dtype", "int8"), ("--device", "abacus")),
    ],
)
def test_an_option_that_is_wrong_for_every_architecture_is_wrong_usage(padcheck, options):
    assert padcheck("survey", "llama", *options).exit_code == 2


def judged_here(model_type, monkeypatch, error):
    def measure_model(*_args):
        raise error

    monkeypatch.setattr("padcheck.hf.measure.measure_model", measure_model)
    return survey._judge_architecture(model_type, MeasureSettings(), JudgeSettings())


def test_a_bug_in_padcheck_has_another_exit_code_than_a_failed_measurement(monkeypatch):
    bug = judged_here("llama", monkeypatch, ZeroDivisionError("by zero"))
    assert (bug.status, bug.exit_code) == ("not_built", ExitCode.BUG)
    assert bug.reason == "A bug in padcheck: ZeroDivisionError: by zero"
    missing = judged_here("llama", monkeypatch, NotMeasuredError("It needs timm.", change="Install it."))
    assert (missing.exit_code, missing.reason) == (ExitCode.NOT_MEASURED, "It needs timm.")
    full = judged_here("llama", monkeypatch, MemoryError())
    assert (full.exit_code, full.reason) == (ExitCode.NOT_MEASURED, "Memory ran out.")


def test_the_survey_has_the_largest_exit_code():
    architectures = [
        survey._not_judged("llama", "a bug in padcheck", ExitCode.BUG, 1.0),
        survey._not_judged("gpt2", "it did not end", ExitCode.NOT_MEASURED, 1.0),
    ]
    environment = run_in_process("inspect-tokenizer", "demo", "--format", "json").report["environment"]
    found = survey.compose_survey(architectures, environment, {}, JudgeSettings())
    assert (found.status, found.exit_code) == ("error", ExitCode.BUG)
    found = survey.compose_survey(architectures[1:], environment, {}, JudgeSettings())
    assert (found.status, found.exit_code) == ("not_measured", ExitCode.NOT_MEASURED)


def test_compare_accepts_a_model_type_with_tiny(padcheck):
    outcome = padcheck("compare", "llama", "--tiny", "--format", "json", "--max-new-tokens", 2)
    assert outcome.exit_code == 0
    assert outcome.report["model"]["architecture"] == "LlamaForCausalLM"
    assert outcome.report["model"]["weights"] == "random"
    assert outcome.report["tokenizer"]["pad_token"] == "<pad>"
    assert not {"PAD101", "PAD102", "PAD104", "PAD105", "PAD106", "PAD113"} & outcome.codes


def test_what_a_library_prints_stays_off_the_report(padcheck):
    outcome = padcheck("compare", "reformer", "--tiny", "--format", "json", "--max-new-tokens", 2)
    assert outcome.report["model"]["model_type"] == "reformer"  # stdout is one document


def judged(model_type, **settings):
    measure = MeasureSettings(max_new_tokens=2, **settings)
    return survey._judge_architecture(model_type, measure, JudgeSettings())


def test_if_float32_cannot_tell_rounding_from_a_fault_it_runs_again_in_float64(monkeypatch):
    in_float32 = judged("olmo")
    assert in_float32.dtype == "float32"
    assert 0 < in_float32.max_abs_diffs["left_generate"] < survey._UNCLEAR
    monkeypatch.setattr(survey, "_UNCLEAR", 1e-9)
    found = judged("olmo")
    assert found.dtype == "float64"
    assert found.allowed < in_float32.allowed / 10
    assert found.max_abs_diffs["left_generate"] <= in_float32.max_abs_diffs["left_generate"]
    assert found.verdicts["left_generate"].within_rounding
    assert found.verdicts["right_generate"] is Verdict.DIFFERENT


def test_a_survey_in_16_bit_stays_in_16_bit(monkeypatch):
    monkeypatch.setattr(survey, "_UNCLEAR", 1e-9)
    assert judged("olmo", dtype="bfloat16").dtype == "bfloat16"


def test_if_float64_does_not_run_float32_stays(monkeypatch):
    monkeypatch.setattr(survey, "_UNCLEAR", 1e-9)
    compare = survey.compare_architecture

    def only_float32(measure, *given):
        if measure.dtype == "float64":
            raise NotMeasuredError("No kernel.")
        return compare(measure, *given)

    monkeypatch.setattr(survey, "compare_architecture", only_float32)
    assert judged("olmo").dtype == "float32"


@pytest.fixture(scope="module")
def with_heads():
    return run_in_process("survey", "bert", "xlnet", "mamba", "--task", "classify,embed", "--format", "json")


def test_a_task_adds_the_verdicts_of_its_head_if_there_is_such_a_class(with_heads):
    assert with_heads.report["settings"]["tasks"] == ["classify", "embed"]
    bert, xlnet, mamba = (of(with_heads, model_type) for model_type in ("bert", "xlnet", "mamba"))
    # BERT's head reads the first column, XLNet's the last one.
    assert (bert["verdicts"]["classify_left"], bert["verdicts"]["classify_right"]) == ("different", "equivalent")
    assert (xlnet["verdicts"]["classify_left"], xlnet["verdicts"]["classify_right"]) == ("equivalent", "different")
    assert bert["max_abs_diffs"]["classify_left"] > 1
    assert "classify_left" not in mamba["verdicts"]
    assert mamba["verdicts"]["embed_left"] in ("identical", "equivalent")


def test_the_findings_of_a_task_say_which(with_heads):
    found = {finding["code"]: finding for finding in of(with_heads, "bert")["details"]}
    assert found["PAD412"]["evidence"]["task"] == "classify"
    assert "task" not in found["PAD203"]["evidence"]
    assert of(with_heads, "bert")["exit_code"] == 0  # the toy's tokenizer pads on the right
    assert of(with_heads, "xlnet")["exit_code"] == 1
    assert set(CONTRACT) <= set(of(with_heads, "bert")["verdicts"])


def test_a_task_that_raises_did_not_run(monkeypatch):
    def raises(toy, *_):
        if toy.task == "classify":
            raise NotMeasuredError("It has no labels.", change="Give it some.")
        return compare_architecture(toy, *_)

    monkeypatch.setattr("padcheck.running.survey_tasks.compare_architecture", raises)
    measure = MeasureSettings(tiny=True, max_new_tokens=2)
    found = survey._judge_architecture("gpt2", measure, JudgeSettings(), ("classify",))
    assert found.verdicts["classify_left"] is found.verdicts["classify_right"] is Verdict.NOT_RUN
    assert found.verdicts["left_generate"].within_rounding


@pytest.mark.parametrize("task", ["score", "x", ""])
def test_only_tasks_with_a_head_can_be_added(padcheck, task):
    outcome = padcheck("survey", "gpt2", "--task", task)
    assert outcome.exit_code == 2
    assert "Use classify or embed" in outcome.stderr
