import json
from pathlib import Path

import pytest
from builders import (
    HOSTILE,
    SHORT,
    check,
    difference,
    differences,
    flip,
    gave,
    in_half,
    no_padding,
    noise,
    precision,
    report,
    row,
    rows_of,
    run_result,
    runs,
    sweep,
    tokenizer_facts,
    unpadded_difference,
)
from msgspec.structs import replace

from padcheck import __version__
from padcheck.core.errors import UsageError
from padcheck.core.evidence import Place
from padcheck.core.facts import ChatTemplateFacts, PadTokenSuggestion
from padcheck.core.json_io import dump, load
from padcheck.core.report import ConfigurationFile, Report
from padcheck.core.settings import JudgeSettings
from padcheck.reporters import Format, View, render
from padcheck.running.judge_again import judge_again

FAILING = {
    "differences": differences(
        left=(unpadded_difference(None), difference(0.5)), right=(unpadded_difference(0.5), difference(0.5))
    ),
    "tokenizer": tokenizer_facts(
        padding_side="right",
        chat_template=ChatTemplateFacts(leading_bos=2, pad_tokens=1),
        pad_token_suggestion=PadTokenSuggestion(token=HOSTILE, token_id=9, reason=HOSTILE),
    ),
    "generation_config": {"max_length": 20, "eos_token_id": [1, 2], "suppress_tokens": None, "temperature": 0.6},
    "prompts": (HOSTILE, "\u2028 ends in spaces  "),
}
PLACE = Place(
    module="model.layers.0",
    class_name="SomeLayer",
    file=None,
    line=None,
    difference_before=None,
    difference=0.5,
    allowed=1e-4,
    prompt_index=1,
    step=0,
)
EVERYTHING = {
    "noise": noise(rounding_errors=0.02, float32_twin="no room", other_attention=None),
    "sweep": sweep({1: 0.5, 2: None, 4: 0.0, 8: 0.0}, sizes={"sliding_window": 4, HOSTILE: 8}, error="IndexError: no"),
    "screen": sweep({1: 0.0, 16: 0.5}),
    "precision": precision(*[2.0] * 8),
    "places": {"left_float32": PLACE},
    **in_half(left=9.0, left_float32=0.5, uncached=0.0, shifted=None),
}
REPORTS = {
    "healthy": report(),
    "positions used": report(
        runs=runs(
            single=run_result(
                None,
                rows=(
                    row(positions_used=(2, 3, 4, 5, None), positions_used_by="table"),
                    row(1, prompt=SHORT, positions_used=(2, 3, None), positions_used_by="table"),
                ),
            )
        )
    ),
    "everything": report(**EVERYTHING),
    "a token flips": report(
        **gave(
            left=(
                unpadded_difference(0.0),
                difference(0.5, flip=flip(0, margin=None)),
            )
        )
    ),
    "failing": report(**FAILING),
    "not measured": report(**no_padding()),
    "inspect-tokenizer": report("inspect-tokenizer", tokenizer=FAILING["tokenizer"]),
}
every_report = pytest.mark.parametrize("written", REPORTS.values(), ids=REPORTS)

TOP = (
    "schema_version padcheck_version command status exit_code model environment tokenizer special_token_ids prompts "
    "arms comparisons noise_floor findings"
)
PROMISED = {
    "": TOP,
    "model": "id revision model_type architecture num_parameters dtype device attn_implementation weights "
    "position_encoding",
    "environment": "padcheck python torch transformers tokenizers platform",
    "tokenizer": "class is_fast padding_side pad_token pad_token_id bos_token bos_token_id eos_token eos_token_id "
    "unk_token unk_token_id vocab_size model_max_length pad_token_used pad_token_used_id",
    "special_token_ids": "tokenizer config generation_config",
    "special_token_ids generation_config": "pad bos eos",
    "arms": "single left right",
    "arms left": "warnings rows",
    "arms left rows 0": "prompt_index num_pad_tokens input_ids attention_mask position_ids position_ids_from_mask "
    "generated_ids text new_text",
    "comparisons": "left right",
    "comparisons left": "reference verdict max_abs_diff max_kl allowed first_different_token reason rows",
    "findings 0": "code name severity message evidence fix",
    "samples left 0": "prompt_index num_pad_tokens input_ids attention_mask",
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "report.json"


@every_report
def test_a_report_comes_back_as_it_was(written: Report, file: Path) -> None:
    file.write_text(dump(written), encoding="utf-8")
    assert load(file) == written
    assert dump(load(file)) == dump(written)


@pytest.mark.parametrize(("place", "keys"), PROMISED.items())
def test_the_documented_keys_are_there(place: str, keys: str) -> None:
    found = json.loads(dump(report(**FAILING)))
    for key in place.split():
        found = found[int(key)] if key.isdecimal() else found[key]
    assert set(keys.split()) <= set(found)


def test_the_documented_keys_come_first_and_in_order() -> None:
    keys = list(json.loads(dump(report())))
    assert keys[:5] == TOP.split()[:5]
    assert [key for key in keys if key in TOP.split()] == TOP.split()


def test_an_inspection_has_samples_and_generation_config() -> None:
    document = json.loads(dump(report("inspect-tokenizer", generation_config={"max_length": 20})))
    assert document["command"] == "inspect-tokenizer"
    assert document["generation_config"] == {"max_length": 20}
    assert set(document["samples"]) == {"left", "right"}


def test_the_values_are_plain() -> None:
    document = json.loads(dump(report(**FAILING)))
    assert document["schema_version"] == 1
    assert document["padcheck_version"] == __version__
    assert (document["status"], document["exit_code"]) == ("fail", 1)
    assert document["comparisons"]["left"]["verdict"] == "non_finite"
    assert document["special_token_ids"]["config"] == {"pad": 0, "bos": 1, "eos": [2]}
    assert document["findings"][0]["severity"] == "error"


def test_the_lists_of_a_row_have_one_entry_per_column() -> None:
    padded = json.loads(dump(report()))["arms"]["right"]["rows"][1]
    lists = ("tokens", "input_ids", "attention_mask", "position_ids", "position_ids_from_mask")
    assert {len(padded[name]) for name in lists} == {len(row().input_ids)}


def test_the_positions_used_have_one_entry_per_column_or_none() -> None:
    used, without = (
        json.loads(dump(REPORTS[name]))["arms"]["single"]["rows"][0] for name in ("positions used", "healthy")
    )
    assert (used["positions_used"], used["positions_used_by"]) == ([2, 3, 4, 5, None], "table")
    assert (without["positions_used"], without["positions_used_by"]) == ([], None)


def test_noise_sweep_and_advice_are_plain_keys() -> None:
    document = json.loads(dump(REPORTS["everything"]))
    assert document["left_out"] == ["few_copies", "left_uncached", "left_other_attention", "other_positions"]
    assert document["noise"]["float32_twin"] == {"description": "float32_twin", "differences": [], "error": "no room"}
    assert document["noise"]["rounding_errors"]["differences"][0]["steps"][1]["max_abs_diff"] == 0.02
    assert document["sweep"]["sizes"]["sliding_window"] == 4
    assert [count["num_pad_tokens"] for count in document["sweep"]["counts"]] == [1, 2, 4, 8]
    assert document["sweep"]["counts"][1]["step"]["max_abs_diff"] is None
    assert [advice["task"] for advice in document["advice"]] == ["generating", "scoring", "training"]
    assert set(document["advice"][0]) == {"task", "padding_side", "position_ids", "attention_mask", "line"}
    assert document["noise_floor"]["method"] == "measured"
    assert document["noise_floor"]["measured"] == 0.02
    assert [way["name"] for way in document["noise_floor"]["ways"]][:3] == [
        "rounding_errors",
        "float32_twin",
        "other_attention",
    ]
    assert [count["num_pad_tokens"] for count in document["screen"]["counts"]] == [1, 16]
    assert set(document["precision"][0]) == {"prompt_index", "num_pad_tokens", "step", "left", "alone"}
    assert document["precision_test"]["steps"] == 8
    assert document["places"]["left_float32"]["class"] == "SomeLayer"
    assert document["arms"]["left_float32"]["dtype"] == "float32"
    assert document["arms"]["left"]["dtype"] is None


def test_a_flip_is_kept_with_its_row() -> None:
    document = json.loads(dump(REPORTS["a token flips"]))
    assert document["comparisons"]["left"]["rows"][1]["flip"]["token"] == " t30"
    assert document["comparisons"]["right"]["rows"][0]["flip"] is None


BEFORE_FLOOR = {"dtype": "float32", "atol": 1e-4, "rtol": 1e-5, "source": "huggingface/transformers#25420"}


CAME_LATER = ("sweep", "screen", "precision", "precision_test", "places")


def _before(written: Report, *, noise_floor: dict[str, object]) -> str:
    """The report as an older padcheck wrote it: no measured rounding, no advice, no sweep over pad counts."""
    document = json.loads(dump(written))
    for key in ("left_out", "noise", "advice", *CAME_LATER):
        del document[key]
    del document["model"]["num_layers"]
    for ran in document["arms"].values():
        del ran["dtype"], ran["stand_in"]
        for shown in ran["rows"]:
            del shown["positions_used"], shown["positions_used_by"], shown["stand_in"]
    for comparison in document["comparisons"].values():
        for judged in comparison["rows"]:
            del judged["flip"]
    return json.dumps(document | {"noise_floor": noise_floor})


@pytest.mark.parametrize("fmt", Format, ids=lambda fmt: fmt.value)
def test_a_report_of_an_older_padcheck_is_shown_and_can_be_judged_again(file: Path, fmt: Format) -> None:
    floor = {"method": "bound", "measured": None, "factor": 2.0}
    file.write_text(_before(report(**FAILING), noise_floor=BEFORE_FLOOR | floor), encoding="utf-8")
    loaded = load(file)
    assert (loaded.evidence.left_out, loaded.evidence.noise, loaded.evidence.sweep, loaded.advice) == ((), {}, None, ())
    assert loaded.evidence.model.id in render(loaded, fmt, View())
    assert judge_again(loaded, {}).status == "fail"


OF_16_BIT = {
    "forward_float32": ("single_float32", None),
    "right_float32": ("forward_float32", "right"),
    "broken_mask_float32": ("forward_float32", "left"),
}
"""The runs in float32 of an older padcheck, which ran the other probes of a 16-bit model in 16 bit."""


@pytest.mark.parametrize("fmt", Format, ids=lambda fmt: fmt.value)
def test_an_older_report_whose_probes_ran_in_16_bit_is_shown_and_can_be_judged_again(file: Path, fmt: Format) -> None:
    changes = in_half(left=0.5, left_float32=0.5, scrambled=9.0)
    for name, ran in changes["runs"].items():
        if name not in ("left_float32", "single_float32"):
            reference = {"left_float32": "left", "single_float32": "single"}.get(ran.reference, ran.reference)
            changes["runs"][name] = replace(ran, dtype=None, reference=reference)
    changes["runs"] |= {
        name: run_result(side, reference=reference, dtype="float32") for name, (reference, side) in OF_16_BIT.items()
    }
    changes["differences"] |= {name: rows_of(side or "forward", 0.0) for name, (_, side) in OF_16_BIT.items()}
    document = json.loads(dump(report(**changes)))
    for key in CAME_LATER:
        del document[key]
    file.write_text(json.dumps(document), encoding="utf-8")
    loaded = load(file)
    assert (loaded.evidence.screen, loaded.evidence.places, loaded.precision_test) == (None, {}, None)
    assert loaded.evidence.model.id in render(loaded, fmt, View())
    again = judge_again(loaded, {})
    assert {"PAD201", "PAD301"} <= {finding.code for finding in again.findings}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_number_that_is_not_finite_is_null(number: float, file: Path) -> None:
    text = dump(report(generation_config={"temperature": number}, differences=FAILING["differences"]))
    document = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert document["generation_config"] == {"temperature": None}
    assert document["comparisons"]["left"]["max_abs_diff"] is None
    file.write_text(text, encoding="utf-8")
    assert dump(load(file)) == text


def test_a_document_ends_with_one_line_end() -> None:
    assert dump(report()).endswith("}\n")


def test_keys_of_a_newer_padcheck_are_ignored(file: Path) -> None:
    document = json.loads(dump(report()))
    for place in (document, document["model"], document["arms"]["left"]["rows"][0], document["comparisons"]["left"]):
        place["from_the_future"] = [1, {"a": None}]
    file.write_text(json.dumps(document), encoding="utf-8")
    assert load(file) == report()


def test_the_verdict_is_kept_although_it_can_be_judged_again(file: Path) -> None:
    lenient = report(settings=JudgeSettings(atol=9.0, fail_on=None), **FAILING)
    file.write_text(dump(lenient), encoding="utf-8")
    assert load(file).noise_floor == lenient.noise_floor


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is not a padcheck report"),
        (b"padcheck compare demo\n", "is not a padcheck report"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is not a padcheck report"),
        (b'{"a": "\xff"}', "is not a padcheck report"),
        (b"[]", "it has no schema_version"),
        (b"null", "it has no schema_version"),
        (b'{"a": 1}', "it has no schema_version"),
        (b'{"schema_version": 2}', "has schema_version 2; this padcheck reads 1"),
        (b'{"schema_version": "1"}', "has schema_version 1"),
        (b'{"schema_version": 1}', "missing required field"),
        (b"[" * 100_000, "is not a padcheck report"),
    ],
    ids=[
        "empty",
        "text",
        "binary",
        "not UTF-8",
        "a list",
        "null",
        "another document",
        "another version",
        "a version in quotes",
        "no keys",
        "nested too deep",
    ],
)
def test_a_file_that_is_not_a_report_is_a_usage_error(file: Path, content: bytes, says: str) -> None:
    file.write_bytes(content)
    with pytest.raises(UsageError, match=says) as caught:
        load(file)
    assert str(file) in caught.value.what
    assert caught.value.change


@pytest.mark.parametrize("key", ["model", "arms", "prompts", "command", "exit_code"])
def test_a_report_whose_key_has_another_type_is_a_usage_error(file: Path, key: str) -> None:
    file.write_text(json.dumps(json.loads(dump(report())) | {key: 7.5}), encoding="utf-8")
    with pytest.raises(UsageError, match=rf"`?\$\.{key}`?"):
        load(file)


@pytest.mark.parametrize("key", ["model", "tokenizer", "prompts", "samples", "command", "status"])
def test_a_report_that_lacks_a_key_says_which(file: Path, key: str) -> None:
    document = json.loads(dump(report()))
    del document[key]
    file.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(UsageError, match=f"missing required field `{key}`"):
        load(file)


def test_a_missing_file_is_a_usage_error(file: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        load(file)


def test_a_folder_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Is a directory"):
        load(tmp_path)


def test_a_text_that_is_not_unicode_is_written_with_escapes(file: Path) -> None:
    found = check(report(generation_config={"a\udcff": ["b\udcff", 1]}))
    named = replace(found, configuration=ConfigurationFile(path="x\udcff.toml"))
    file.write_text(dump(named), encoding="utf-8")
    loaded = load(file)
    assert loaded.configuration.path == "x\\udcff.toml"
    assert loaded.reports[0].evidence.generation_config == {"a\\udcff": ["b\\udcff", 1]}


def test_characters_that_nobody_sees_are_written_as_escapes_and_come_back(file: Path) -> None:
    hidden = "\x1b\x7f\x9b\u202e\u2028\u200b\U000e0001 日本 é"
    text = dump(report(prompts=(hidden, "b")))
    assert [character for character in text if not character.isprintable() and character != "\n"] == []
    assert "日本 é" in text
    file.write_text(text, encoding="utf-8")
    assert load(file).evidence.prompts[0] == hidden


def test_json_takes_one_line_unless_everything_is_to_be_shown():
    compact, indented = (render(report(), Format.JSON, View(verbose=verbose)) for verbose in (False, True))
    assert compact.count("\n") == 1
    assert json.loads(compact) == json.loads(indented)
    assert len(compact) < len(indented) / 2
