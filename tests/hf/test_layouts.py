"""Loads and measures every layout of a model folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from model_folders import (
    BOS,
    EOS,
    Builder,
    base_checkpoint,
    chat_template_with_bos,
    chat_template_without_bos,
    fewer_rows_than_tokens,
    fingerprint,
    own_model_code,
    own_tokenizer_code,
    pad_token_without_row,
    padding_in_tokenizer_json,
    pytorch_bin,
    sharded,
    tokenizer_json,
    tokenizer_model,
    tokenizer_that_ignores_the_side,
    tokenizer_that_rejects_the_side,
    vocab_and_merges,
    without_weights,
)

from padcheck.core.progress import Silent
from padcheck.core.report import Report, Severity
from padcheck.core.run_results import Row
from padcheck.core.settings import JudgeSettings, MeasureSettings
from padcheck.core.verdicts import Verdict
from padcheck.running import one_model

FolderOf = Callable[[Builder], Path]

LAYOUTS = (
    tokenizer_json,
    tokenizer_model,
    vocab_and_merges,
    sharded,
    pytorch_bin,
    base_checkpoint,
    own_model_code,
    own_tokenizer_code,
    tokenizer_that_rejects_the_side,
    tokenizer_that_ignores_the_side,
    padding_in_tokenizer_json,
)


def run(command: Callable[..., Report], folder: Path, **settings: Any) -> Report:
    measure = MeasureSettings(model=str(folder), trust_remote_code=True, **settings)
    return command(measure, JudgeSettings(), Silent())


def codes(report: Report) -> dict[str, Severity]:
    return {finding.code: finding.severity for finding in report.findings}


def rows(report: Report, name: str) -> tuple[Row, ...]:
    return report.evidence.runs[name].rows


def generated_ids(report: Report) -> list[tuple[int, ...]]:
    return [row.generated_ids for row in rows(report, "single")]


def name_of(value: object) -> str | None:
    return getattr(value, "__name__", None)


@pytest.mark.parametrize("build", LAYOUTS, ids=name_of)
def test_every_layout_is_measured_and_not_changed(build: Builder, folder_of: FolderOf) -> None:
    folder = folder_of(build)
    before = fingerprint(folder)
    report = run(one_model.compare, folder)
    assert fingerprint(folder) == before

    assert not [run.error for run in report.evidence.runs.values() if run.error]
    assert report.comparisons["left"].verdict in {Verdict.IDENTICAL, Verdict.EQUIVALENT}
    assert report.comparisons["right"].verdict is Verdict.DIFFERENT
    assert report.evidence.model.weights == "pretrained"
    assert_padded_by_definition(report)


def assert_padded_by_definition(report: Report) -> None:
    """Pads are only on the run's side, and the mask hides exactly the pads."""
    width = max(report.evidence.num_prompt_tokens)
    pad_id = report.evidence.tokenizer.pad_token_used_id
    assert [row.num_pad_tokens for row in rows(report, "left")] == [
        width - length for length in report.evidence.num_prompt_tokens
    ]
    assert any(row.num_pad_tokens for row in rows(report, "left"))
    for alone, left, right in zip(*(rows(report, name) for name in ("single", "left", "right")), strict=True):
        prompt = alone.input_ids[: len(alone.input_ids) - len(alone.generated_ids)]
        pads, hidden, shown = (pad_id,) * left.num_pad_tokens, (0,) * left.num_pad_tokens, (1,) * len(prompt)
        assert left.generated_ids == alone.generated_ids
        assert left.input_ids == pads + prompt + left.generated_ids
        assert left.attention_mask == hidden + shown + (1,) * len(left.generated_ids)
        assert right.input_ids == prompt + pads + right.generated_ids
        assert right.attention_mask == shown + hidden + (1,) * len(right.generated_ids)
        assert alone.position_ids[:-1] == tuple(range(len(alone.input_ids) - 1))
        assert left.position_ids[left.num_pad_tokens : -1] == alone.position_ids[:-1]


@pytest.mark.parametrize("build", [sharded, pytorch_bin, own_model_code], ids=name_of)
def test_the_same_weights_generate_the_same_in_every_layout(build: Builder, folder_of: FolderOf) -> None:
    reference = run(one_model.compare, folder_of(tokenizer_json))
    assert len(set(generated_ids(reference)[0])) > 3
    assert generated_ids(run(one_model.compare, folder_of(build))) == generated_ids(reference)


def test_weights_without_their_prefix_generate_the_same(folder_of: FolderOf) -> None:
    reports = [run(one_model.compare, folder_of(build)) for build in (vocab_and_merges, base_checkpoint)]
    assert generated_ids(reports[0]) == generated_ids(reports[1])


@pytest.mark.parametrize(
    ("build", "tokens"),
    [
        (tokenizer_json, ["<pad>", "<s>", "a", " batch"]),
        (tokenizer_model, ["<pad>", "<s>", " a", " b", "at", "c", "h"]),
        (own_tokenizer_code, ["<pad>", "a", " ", "b", "a", "t", "c", "h"]),
    ],
    ids=name_of,
)
def test_a_row_shows_its_tokens(build: Builder, tokens: list[str], folder_of: FolderOf) -> None:
    report = run(one_model.inspect_tokenizer, folder_of(build), prompts=("a batch", "a batch that is longer"))
    row = report.evidence.samples["left"].rows[0]
    assert list(row.tokens[row.num_pad_tokens - 1 :]) == tokens


@pytest.mark.parametrize(
    ("code", "loud", "silent"),
    [
        ("PAD101", vocab_and_merges, tokenizer_json),
        ("PAD102", chat_template_with_bos, chat_template_without_bos),
        ("PAD104", pad_token_without_row, tokenizer_json),
        ("PAD106", vocab_and_merges, tokenizer_json),
        ("PAD107", tokenizer_that_ignores_the_side, own_tokenizer_code),
        ("PAD108", tokenizer_that_rejects_the_side, own_tokenizer_code),
        ("PAD109", chat_template_with_bos, chat_template_without_bos),
        ("PAD110", chat_template_with_bos, chat_template_without_bos),
        ("PAD111", padding_in_tokenizer_json, tokenizer_json),
        ("PAD113", fewer_rows_than_tokens, tokenizer_json),
    ],
    ids=name_of,
)
def test_a_rule_fires_for_its_folder_and_not_for_a_similar_one(
    code: str, loud: Builder, silent: Builder, folder_of: FolderOf
) -> None:
    assert code in codes(run(one_model.inspect_tokenizer, folder_of(loud)))
    assert code not in codes(run(one_model.inspect_tokenizer, folder_of(silent)))


@pytest.mark.parametrize("build", [tokenizer_json, tokenizer_model, sharded, pytorch_bin, own_model_code], ids=name_of)
def test_a_good_folder_has_no_findings_except_pad202(build: Builder, folder_of: FolderOf) -> None:
    assert codes(run(one_model.compare, folder_of(build))) == {"PAD202": Severity.WARNING}


def test_a_tokenizer_that_ignores_the_side_is_wrong_on_the_right(folder_of: FolderOf) -> None:
    report = run(one_model.inspect_tokenizer, folder_of(tokenizer_that_ignores_the_side))
    finding = next(finding for finding in report.findings if finding.code == "PAD107")
    assert set(finding.evidence["wrong_row_by_side"]) == {"right"}
    assert report.exit_code == 1


def test_a_tokenizer_that_rejects_the_side_is_reported_with_its_error(folder_of: FolderOf) -> None:
    report = run(one_model.inspect_tokenizer, folder_of(tokenizer_that_rejects_the_side))
    errors = {side: sample.error for side, sample in report.evidence.samples.items()}
    assert set(errors) == {"left", "right"}
    assert all(error.startswith("TypeError:") and "padding_side" in error for error in errors.values())
    assert codes(report) == {"PAD108": Severity.ERROR}


def test_the_saved_padding_and_truncation_are_named(folder_of: FolderOf) -> None:
    report = run(one_model.inspect_tokenizer, folder_of(padding_in_tokenizer_json))
    finding = next(finding for finding in report.findings if finding.code == "PAD111")
    assert finding.evidence["blocks"] == ["padding", "truncation"]
    assert (report.evidence.tokenizer.saved_padding, report.evidence.tokenizer.saved_truncation) == (True, True)


def test_a_pad_token_without_an_embedding_row_is_found_and_nothing_is_run(folder_of: FolderOf) -> None:
    report = run(one_model.compare, folder_of(pad_token_without_row))
    assert codes(report) == {"PAD104": Severity.ERROR, "PAD113": Severity.ERROR}
    assert all("no embedding row" in run.error for run in report.evidence.runs.values())
    assert report.comparisons["left"].verdict is Verdict.NOT_RUN
    assert report.exit_code == 1


@pytest.mark.parametrize("build", [chat_template_with_bos, chat_template_without_bos], ids=name_of)
def test_a_chat_is_measured_with_the_special_tokens_of_its_template(build: Builder, folder_of: FolderOf) -> None:
    report = run(one_model.compare, folder_of(build), chat=True, prompts=("hi", "a longer message"))
    assert report.comparisons["left"].verdict in {Verdict.IDENTICAL, Verdict.EQUIVALENT}
    for row in rows(report, "single"):
        prompt = row.input_ids[: len(row.input_ids) - len(row.generated_ids)]
        assert prompt.count(BOS) == (build is chat_template_with_bos)
        assert prompt.count(EOS) == 1
        assert row.attention_mask == (1,) * len(row.input_ids)


@pytest.mark.parametrize("build", [without_weights, own_model_code], ids=name_of)
def test_tiny_needs_no_weights(build: Builder, folder_of: FolderOf) -> None:
    report = run(one_model.compare, folder_of(build), tiny=True)
    assert report.evidence.model.weights == "random"
    assert report.comparisons["left"].verdict in {Verdict.IDENTICAL, Verdict.EQUIVALENT}


def test_the_tokenizer_may_come_from_another_folder(folder_of: FolderOf) -> None:
    report = run(one_model.inspect_tokenizer, folder_of(sharded), tokenizer=str(folder_of(own_tokenizer_code)))
    assert report.evidence.tokenizer.class_name == "LettersTokenizer"
    assert report.evidence.samples["left"].rows[0].tokens[:3] == ("b", "i", "g")


def test_a_generated_id_that_the_tokenizer_does_not_know_is_shown_as_a_number(folder_of: FolderOf) -> None:
    """Embedding tables are rounded up, and a tokenizer with its own code raises for ids beyond its vocabulary."""
    report = run(one_model.compare, folder_of(sharded), tokenizer=str(folder_of(own_tokenizer_code)))
    unknown = [
        (token_id, token)
        for row in rows(report, "single")
        for token_id, token in zip(row.input_ids, row.tokens, strict=True)
        if token_id > report.evidence.tokenizer.max_token_id
    ]
    assert unknown
    assert all(token == f"#{token_id}" for token_id, token in unknown)
