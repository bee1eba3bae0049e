"""The functions of the Python API."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from padcheck.api.options import NO_REASONS, FailOn, Prompts, flag, judge_settings, measure_settings
from padcheck.api.report import Report
from padcheck.core import report
from padcheck.core.facts import PaddingSide
from padcheck.core.modes import Asked
from padcheck.core.progress import Progress, Silent
from padcheck.core.use_case import Task
from padcheck.running import one_model
from padcheck.running.shown_progress import Log, Terminal

if TYPE_CHECKING:
    from padcheck.hf.in_memory import Config, GenerationSettings, Model, Tokenizer


def compare(
    model: "Model",
    tokenizer: "Tokenizer",
    prompts: Prompts | None = None,
    *,
    chat: bool = False,
    max_new_tokens: int = 10,
    do_sample: bool = False,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: int = 0,
    pad_token: str | None = None,
    batch_size: int | Literal["auto"] = 8,
    thorough: bool = False,
    cross_limits: bool = False,
    with_modes: Sequence[Asked] = (),
    atol: float | None = None,
    rtol: float | None = None,
    select: Sequence[str] = (),
    ignore: Mapping[str, str] = NO_REASONS,
    fail_on: FailOn | None = "error",
    task: Task | None = None,
    padding_side: PaddingSide | None = None,
    progress: bool = False,
) -> Report:
    """Runs the same prompts unpadded, left-padded and right-padded, and reports what padding changes.

    The model runs in its dtype and on its device, with dropout off. Afterwards the model and the tokenizer are as they
    were before, also after an error: training flags, hooks, gradients, configs, padding settings, and the state of all
    random number generators. Calls from several threads run one after the other.

        >>> from padcheck.demo import MODEL_FOLDER
        >>> from transformers import AutoModelForCausalLM, AutoTokenizer
        >>> model = AutoModelForCausalLM.from_pretrained(MODEL_FOLDER).train()
        >>> tokenizer = AutoTokenizer.from_pretrained(MODEL_FOLDER)
        >>> report = compare(model, tokenizer, task="score", padding_side="right")
        >>> report.comparisons["right_forward"].verdict.within_rounding
        True
        >>> model.training, tokenizer.pad_token
        (True, None)

    Args:
        model: A causal language model of transformers, or peft's wrapper around one.
        tokenizer: Its tokenizer.
        prompts: Texts of different lengths, or conversations (lists of messages with `role` and `content`), which the
            chat template renders; None for two built-in prompts.
        chat: Render each prompt with the chat template, as one user message.
        max_new_tokens: How many tokens to generate per prompt.
        do_sample: Sample the tokens. All runs of a prompt use the same random numbers, so they can be compared.
        temperature: The sampling temperature.
        top_k: Sample from this many of the likeliest tokens; None for all.
        top_p: Sample from the likeliest tokens that together have this probability; None for all.
        seed: The seed for sampling and for probes.
        pad_token: The token to pad with; None for the tokenizer's pad token, otherwise eos or unk.
        batch_size: How many prompts to pad together; "auto" for as many as fit into memory, up to 64.
        thorough: Run the expensive probes even if nothing differs.
        cross_limits: Also run repeated text that passes every length at which the model changes what it does, if
            memory allows.
        with_modes: Other modes of generate() to run as well, alone and left-padded: "static-cache", "second-turn",
            "no-cache", "chunked-prefill", "inputs-embeds", "assisted", or "all".
        atol: The allowed absolute difference of logits. The tolerance is measured if neither this nor `rtol` is given.
        rtol: The allowed difference as a share of the largest logit, added to `atol`.
        select: The codes that count, or prefixes of codes. All codes count if it is empty.
        ignore: The reason for each code, or prefix of codes, that does not count.
        fail_on: The lowest severity that makes the report fail. None if no finding does; a report without a
            measurement still fails.
        task: What your code does: "generate", "score" or "train". Only this task is judged.
        padding_side: The side that your code pads on: "left" or "right". Only this side is judged.
        progress: Show on stderr what is running: a changing line in a terminal, otherwise a line every ten seconds.

    Returns:
        The report. A finding does not raise an error; `Report.assert_ok` does.

    Raises:
        PadcheckError: There is no report. It is one of these two classes of `padcheck.errors`:
        UsageError: An option has the wrong type, is out of range, or does not fit this model or tokenizer.
        NotMeasuredError: Nothing can be measured: an encoder-decoder model, a model without a language modeling head,
            no token to pad with, or not enough memory.
    """
    __tracebackhide__ = True
    measure = measure_settings(
        prompts,
        chat=chat,
        max_new_tokens=max_new_tokens,
        do_sample=do_sample,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        seed=seed,
        pad_token=pad_token,
        batch_size=batch_size,
        thorough=thorough,
        task=task,
        cross_limits=cross_limits,
        with_modes=with_modes,
    )
    judgement = judge_settings(
        select, ignore, atol=atol, rtol=rtol, fail_on=fail_on, task=task, padding_side=padding_side
    )
    shown = _progress(wanted=flag("progress", progress))
    return _with_methods(one_model.compare_in_memory(model, tokenizer, measure, judgement, shown))


def inspect_tokenizer(
    tokenizer: "Tokenizer",
    prompts: Prompts | None = None,
    *,
    config: "Config | None" = None,
    generation_config: "GenerationSettings | None" = None,
    chat: bool = False,
    max_new_tokens: int = 10,
    pad_token: str | None = None,
    select: Sequence[str] = (),
    ignore: Mapping[str, str] = NO_REASONS,
    fail_on: FailOn | None = "error",
) -> Report:
    """Checks a tokenizer, and that config and generation_config agree with it, without running a model.

    Afterwards the tokenizer is as it was before, as with `compare`.

        >>> from padcheck.demo import MODEL_FOLDER
        >>> from transformers import AutoTokenizer
        >>> tokenizer = AutoTokenizer.from_pretrained(MODEL_FOLDER)
        >>> report = inspect_tokenizer(tokenizer, ["Monday Tuesday", "January February March"])
        >>> [finding.code for finding in report.findings if finding.severity == "warning"]
        ['PAD101', 'PAD106']
        >>> report.evidence.samples["left"].rows[0].attention_mask
        (0, 1, 1)

    Args:
        tokenizer: A tokenizer of transformers.
        prompts: Texts or conversations to pad, of different lengths; None for two built-in prompts.
        config: The config of the model, such as `model.config`. Without it, nothing is said about the model.
        generation_config: Its generation_config; None for the one that generate() derives from the config.
        chat: Render each prompt with the chat template, as one user message.
        max_new_tokens: How many tokens your code generates per prompt, for the length limit (PAD112).
        pad_token: The token to pad with; None for the tokenizer's pad token, otherwise eos or unk.
        select: The codes that count, or prefixes of codes. All codes count if it is empty.
        ignore: The reason for each code, or prefix of codes, that does not count.
        fail_on: The lowest severity that makes the report fail; None if no finding does.

    Returns:
        The report, without comparisons. `evidence.samples` holds the prompts as the tokenizer pads them, by side.

    Raises:
        PadcheckError: There is no report. It is one of these two classes of `padcheck.errors`:
        UsageError: An option has the wrong type, is out of range, or does not fit this tokenizer.
        NotMeasuredError: The config is that of an encoder-decoder model, or there is no token to pad with.
    """
    __tracebackhide__ = True
    measure = measure_settings(prompts, chat=chat, max_new_tokens=max_new_tokens, pad_token=pad_token)
    judgement = judge_settings(select, ignore, fail_on=fail_on)
    found = one_model.inspect_in_memory(
        tokenizer, config, generation_config, measure=measure, judgement=judgement, progress=Silent()
    )
    return _with_methods(found)


def _progress(*, wanted: bool) -> Progress:
    if not wanted:
        return Silent()
    return (
        Terminal(Console(stderr=True, markup=False, highlight=False)) if sys.stderr.isatty() else Log(sys.stderr.write)
    )


def _with_methods(judged: report.Report) -> Report:
    return Report(**{name: getattr(judged, name) for name in judged.__struct_fields__})
