"""Padcheck from Python: the same measurement and verdict as the command's, on objects that are in memory already.

    >>> import padcheck
    >>> from padcheck.demo import MODEL_FOLDER
    >>> from transformers import AutoModelForCausalLM, AutoTokenizer
    >>> model = AutoModelForCausalLM.from_pretrained(MODEL_FOLDER)
    >>> tokenizer = AutoTokenizer.from_pretrained(MODEL_FOLDER)
    >>> report = padcheck.compare(model, tokenizer, ["Monday Tuesday", "January February March"])
    >>> report.status
    'pass'
    >>> report.assert_ok()

What is only a warning makes nothing fail, unless that is asked for:

    >>> "PAD202" in {finding.code for finding in report.findings}
    True
    >>> strict = padcheck.compare(model, tokenizer, fail_on="warning")
    >>> strict.assert_ok()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: FAIL by --fail-on warning: left padding changes nothing...
    ...
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, get_args

from padcheck.core import report
from padcheck.core.errors import UsageError
from padcheck.core.facts import PaddingSide
from padcheck.core.progress import Silent
from padcheck.core.settings import JudgeSettings, MeasureSettings
from padcheck.core.severity import Severity
from padcheck.core.use_case import Task
from padcheck.reporters import View
from padcheck.reporters.report import short
from padcheck.reporters.report.wording.conclusion import conclusion
from padcheck.running import one_model

if TYPE_CHECKING:
    from padcheck.hf.in_memory import Model, Tokenizer

_VIEW = View(width=100)
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Report(report.Report, frozen=True, kw_only=True):
    """What padding changed: `status`, `findings`, `comparisons`, `advice`, and in `evidence` all that was measured.

    `str()` gives the short report, in which the findings are told in full.
    """

    def assert_ok(self) -> None:
        """Does nothing where the status is "pass".

        Raises:
            AssertionError: Something was found at or above `fail_on`, or nothing could be measured, which is no pass
                either. The message is the short report.
        """
        __tracebackhide__ = True
        if self.status != "pass":
            raise AssertionError(str(self))

    def __repr__(self) -> str:
        return f"<padcheck.Report of {self.evidence.model.id!r}: {conclusion(self)}>"

    def __str__(self) -> str:
        return short.render(self, _VIEW).rstrip()


def compare(
    model: "Model",
    tokenizer: "Tokenizer",
    prompts: Sequence[str] | None = None,
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
    atol: float | None = None,
    rtol: float | None = None,
    select: Sequence[str] = (),
    ignore: Mapping[str, str] = _NOTHING,
    fail_on: Severity | Literal["error", "warning", "info"] | None = "error",
    task: Task | None = None,
    padding_side: PaddingSide | None = None,
) -> Report:
    """Runs the same prompts unpadded, left-padded and right-padded, and judges what padding changed.

    The model runs as it is, in its own dtype and on its own device, with dropout off. It and the tokenizer are handed
    back as they were, after an error as well: training flags, hooks, gradients, configs, padding settings, and the
    state of all random numbers.

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
        prompts: Texts of different lengths; two of padcheck's own where none are given.
        chat: Each prompt is rendered with the chat template, as one message of a user.
        max_new_tokens: How many tokens are generated behind each prompt.
        do_sample: Tokens are drawn, with the same randomness for a prompt however it is padded.
        temperature: Of the draw.
        top_k: Of the draw.
        top_p: Of the draw.
        seed: Of the draw and of the probes.
        pad_token: What is padded with; the tokenizer's own, or else eos or unk, where this is None.
        batch_size: How many prompts are padded together; "auto" takes as many as memory has room for, up to 64.
        thorough: The expensive probes run although nothing calls for them.
        atol: What logits may differ by; what rounding explains is measured where neither this nor `rtol` is given.
        rtol: The same, as a share of the largest logit.
        select: The codes that count, or prefixes of codes; all where it is empty.
        ignore: Codes, or prefixes of codes, that do not count, each with the reason why.
        fail_on: The least severity that makes the report fail; None where only what cannot be measured does.
        task: What your code does ("generate", "score" or "train"); the verdict is then about nothing else.
        padding_side: The side that your code pads on ("left" or "right"); likewise.

    Returns:
        The report. Padding that changes something is no exception: see `Report.assert_ok`.

    Raises:
        PadcheckError: There is no verdict; of `padcheck.errors`, like both of its kinds:
        UsageError: An option is out of its range, or does not fit this model or tokenizer.
        NotMeasuredError: There is nothing to measure: an encoder-decoder model or one without a language model's head,
            no token to pad with, or memory ran out.
    """
    __tracebackhide__ = True
    if not isinstance(ignore, Mapping):
        raise UsageError(f"ignore is {ignore!r}.", change='Give each code its reason: ignore={"PAD106": "why"}.')
    for option, texts in (("prompts", prompts), ("select", select)):
        if isinstance(texts, str):
            raise UsageError(f"{option} is one text.", change=f"Give a list: {option}=[{texts!r}].")
    for option, given, known in (
        ("fail_on", fail_on, [severity.value for severity in Severity]),
        ("task", task, get_args(Task)),
        ("padding_side", padding_side, get_args(PaddingSide)),
    ):
        if given is not None and given not in known:
            raise UsageError(f"{option} is {given!r}.", change=f"Use {', '.join(map(repr, known))} or None.")
    measure = MeasureSettings(
        prompts=tuple(prompts or ()),
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
    )
    judgement = JudgeSettings(
        atol=atol,
        rtol=rtol,
        select=tuple(code.upper() for code in select),
        ignore={code.upper(): why for code, why in ignore.items()},
        fail_on=None if fail_on is None else Severity(fail_on),
        task=task,
        padding_side=padding_side,
    )
    judged = one_model.compare_in_memory(model, tokenizer, measure, judgement, Silent())
    return Report(**{name: getattr(judged, name) for name in judged.__struct_fields__})
