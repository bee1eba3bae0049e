"""Scores texts and choices: planted faults that the next-token logits do not show, clean families, and bad input."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel
from zoo.families import FAMILIES, PAD, PROMPTS, Build, build_family, tokenizer
from zoo.planting import DTYPES

import padcheck as api
from padcheck.core.errors import UsageError
from padcheck.demo import MODEL_FOLDER

every_dtype = pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: str(dtype).removeprefix("torch."))
CODES = {"PAD405", "PAD408", "PAD409", "PAD431", "PAD432", "PAD433"}
CHOICES = ((" cat sat", " tree"), (" food", " mat on"), (), (" cat", " dog ran under the tree"))


def _noisy(change: Callable[[torch.Tensor, torch.Tensor, bool], torch.Tensor]) -> Build:
    """Builds a llama whose logits are changed, given ids (batch, columns) and whether the mask was passed."""

    def build(dtype: torch.dtype) -> PreTrainedModel:
        model = build_family(dtype)

        def changed(_model, args, kwargs, output):
            ids = kwargs["input_ids"] if "input_ids" in kwargs else args[0]
            if output.logits.shape[1] != ids.shape[1]:  # only the next-token logits were asked for
                return output
            output.logits = change(output.logits, ids, kwargs.get("attention_mask") is not None)
            return output

        model.register_forward_hook(changed, with_kwargs=True)
        return model

    return build


def _before_pads(logits: torch.Tensor, ids: torch.Tensor, _masked: bool) -> torch.Tensor:
    """Tokens see the pads after them, all but the last one; so the next-token logits are right."""
    pads = (ids == PAD).flip(1).cumsum(1).flip(1)[:, 1:]  # pads after each column
    lasts = (ids[:, :-1] != PAD) & (ids[:, 1:] == PAD)
    shift = torch.zeros_like(logits)
    shift[:, :-1, ::2] = (9 * pads * ~lasts)[..., None].to(logits.dtype)
    return logits + shift


def _without_mask(logits: torch.Tensor, ids: torch.Tensor, masked: bool) -> torch.Tensor:
    return logits if masked else _before_pads(logits, ids, masked)


@every_dtype
def test_tokens_that_see_the_pads_after_them_are_found(dtype: torch.dtype) -> None:
    report = api.compare(_noisy(_before_pads)(dtype), tokenizer(), PROMPTS, task="score", choices=CHOICES)
    assert report.comparisons["right_forward"].verdict.within_rounding
    assert report.status == "fail"
    assert "PAD405" in {finding.code for finding in report.findings}
    assert str(report).startswith("FAIL: right padding changes the token log-likelihoods")


@every_dtype
def test_scores_that_need_the_mask_are_found(dtype: torch.dtype) -> None:
    report = api.compare(_noisy(_without_mask)(dtype), tokenizer(), PROMPTS, task="score")
    codes = {finding.code for finding in report.findings}
    assert codes & CODES == {"PAD432"}


def test_a_choice_that_flips_is_found() -> None:
    report = api.compare(_noisy(_before_pads)(torch.float32), tokenizer(), PROMPTS, task="score", choices=CHOICES)
    [found] = [finding for finding in report.findings if finding.code == "PAD431"]
    assert "changes the best choice of prompt" in found.message


def _off_between_pads(logits: torch.Tensor, ids: torch.Tensor, _masked: bool) -> torch.Tensor:
    """Rows with pads on both sides are wrong after their first token; rows with pads on one side are right."""
    both = (ids[:, :1] == PAD) & (ids[:, -1:] == PAD)
    shift = torch.zeros_like(logits)
    shift[..., ::2] = (9 * (both & (ids != PAD)))[..., None].to(logits.dtype)
    return logits + shift


@every_dtype
def test_rows_that_are_wrong_only_between_pads_are_found(dtype: torch.dtype) -> None:
    report = api.compare(_noisy(_off_between_pads)(dtype), tokenizer(), PROMPTS, task="score", choices=CHOICES)
    assert {finding.code for finding in report.findings} & CODES == {"PAD433"}


@every_dtype
@pytest.mark.parametrize("family", ["gpt2", "gpt_neo"])
def test_two_sided_rows_of_learned_positions_need_position_ids(family: str, dtype: torch.dtype) -> None:
    report = api.compare(FAMILIES[family](dtype), tokenizer(), PROMPTS, task="score", choices=CHOICES)
    [found] = [finding for finding in report.findings if finding.code in CODES]
    assert found.code == "PAD433"
    assert "right with position_ids and wrong without them" in found.message
    # The prompts without choices count too: their first token is the prompt.
    assert len(report.evidence.task.runs["two_sided"].rows) == 7


def test_prompts_without_choices_have_no_second_side() -> None:
    report = api.compare(FAMILIES["gpt2"](torch.float32), tokenizer(), PROMPTS, task="score")
    assert "two_sided" not in report.evidence.task.runs


def test_two_sided_rows_are_left_out_if_positions_are_too_few() -> None:
    model = build_family(torch.float32, "gpt2", n_positions=24)
    report = api.compare(model, tokenizer(), PROMPTS, task="score", choices=CHOICES, max_new_tokens=4)
    assert report.status == "pass"
    assert "two_sided" not in report.evidence.task.runs


@every_dtype
@pytest.mark.parametrize("family", ["llama", "qwen2", "mistral", "opt", "bloom", "falcon", "gpt_neox", "gptj", "mamba"])
def test_a_clean_family_passes(family: str, dtype: torch.dtype) -> None:
    report = api.compare(FAMILIES[family](dtype), tokenizer(), PROMPTS, task="score", choices=CHOICES)
    assert report.status == "pass", report
    assert not {finding.code for finding in report.findings} & CODES


def test_log_likelihoods_are_those_of_the_labels_loss() -> None:
    model, tok = FAMILIES["llama"](torch.float32), tokenizer()
    runs = api.compare(model, tok, PROMPTS, task="score", choices=CHOICES).evidence.task.runs
    texts = [text + choice for text, own in zip(PROMPTS, CHOICES, strict=True) for choice in own or ("",)]
    firsts = [
        len(tok(text)["input_ids"]) if own else 1
        for text, own in zip(PROMPTS, CHOICES, strict=True)
        for _ in own or ("",)
    ]
    for row, text, first in zip(runs["alone"].rows, texts, firsts, strict=True):
        ids = tok(text, return_tensors="pt")["input_ids"]
        labels = ids.clone()
        labels[:, :first] = -100
        with torch.no_grad():
            loss = model(ids, labels=labels).loss.item()
        number = ids.shape[1] - first
        assert row.numbers["log-likelihood"] == pytest.approx(-loss * number, rel=1e-4)
        assert row.numbers["perplexity"] == pytest.approx(torch.tensor(loss).exp().item(), rel=1e-3)


def test_choices_from_files(padcheck, tmp_path: Path) -> None:
    prompts, continuations = tmp_path / "prompts.jsonl", tmp_path / "continuations.txt"
    lines = ({"prompt": "Monday Tuesday", "choices": [" Wednesday", " May"]}, {"prompt": "January February March"})
    prompts.write_text("\n".join(map(json.dumps, lines)))
    continuations.write_text(" Wednesday\n May\n")
    words = ("compare", "--task", "score", "--format", "json")
    report = padcheck(*words, "--prompts", prompts).report
    assert [choice["text"] for choice in report["task"]["choices"]] == [" Wednesday", " May", None]
    alone = report["task"]["runs"]["alone"]["rows"]
    assert alone[0]["numbers"]["log-likelihood"] > alone[1]["numbers"]["log-likelihood"]
    report = padcheck(
        *words, "--prompt", "Monday Tuesday", "--prompt", "April", "--continuations", continuations
    ).report
    assert [choice["prompt_index"] for choice in report["task"]["choices"]] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"prompt": "a", "choices": [""]}, "A choice or continuation is empty"),
        ({"prompt": "a", "choices": "b"}, "The choices of prompt 0 are 'b'"),
        ({"prompt": "a", "choices": [1]}, "The choices of prompt 0 are (1,)"),
    ],
)
def test_choices_that_do_not_fit_are_a_usage_error(padcheck, tmp_path: Path, line: dict, message: str) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text(json.dumps(line))
    outcome = padcheck("compare", "--task", "score", "--prompts", file)
    assert outcome.exit_code == 2
    assert message in outcome.stderr


def test_choices_need_the_task(padcheck, tmp_path: Path) -> None:
    file = tmp_path / "continuations.txt"
    file.write_text(" a\n")
    assert padcheck("compare", "--continuations", file).exit_code == 2


def test_a_choice_that_adds_no_token_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="adds no token"):
        api.compare(
            FAMILIES["llama"](torch.float32), tokenizer(), PROMPTS[:2], task="score", choices=((" ", " cat"), ())
        )


def test_a_text_of_one_token_has_no_score_and_the_others_are_measured() -> None:
    model, tok = AutoModelForCausalLM.from_pretrained(MODEL_FOLDER), AutoTokenizer.from_pretrained(MODEL_FOLDER)
    texts = ["Monday", " June July August", " May June"]
    assert len(tok(texts[0])["input_ids"]) == 1
    task = api.compare(model, tok, texts, task="score").evidence.task
    assert [choice.prompt_index for choice in task.choices] == [1, 2]


def test_a_report_with_choices_can_be_repeated(padcheck, tmp_path: Path) -> None:
    from padcheck.reporters.report.reproduction import command_line, prompts_file

    report = api.compare(FAMILIES["llama"](torch.float32), tokenizer(), PROMPTS, task="score", choices=CHOICES)
    assert "choices=" in command_line(report)
    assert json.loads(prompts_file(report).splitlines()[0])["choices"] == list(CHOICES[0])


def test_choices_from_a_configuration(padcheck, tmp_path: Path) -> None:
    config = tmp_path / "padcheck.toml"
    config.write_text(
        'models = ["demo"]\ntask = "score"\nprompts = ["Monday Tuesday", "April"]\nchoices = [[" May", " June"], []]\n'
    )
    [report] = padcheck("check", "--config", config, "--format", "json").report["reports"]
    assert [choice["text"] for choice in report["task"]["choices"]][:2] == [" May", " June"]
    assert report["settings"]["choices"] == [[" May", " June"], []]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--continuations", "none.txt"), "none.txt"),
        (("--continuations", "empty.txt"), "has no prompt"),
        (("--config", "short.toml"), "There are choices for 1 prompts, and 2 prompts"),
    ],
    ids=["no such file", "an empty file", "fewer choices than prompts"],
)
def test_a_file_of_choices_that_does_not_fit_is_a_usage_error(
    padcheck, tmp_path: Path, monkeypatch, words: tuple[str, str], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.txt").write_text("")
    Path("short.toml").write_text('models = ["demo"]\ntask = "score"\nprompts = ["a", "b"]\nchoices = [[" c"]]\n')
    command = ("check",) if words[0] == "--config" else ("compare", "--task", "score")
    outcome = padcheck(*command, *words)
    assert outcome.exit_code == 2
    assert message in outcome.stderr
    assert outcome.stdout == ""
