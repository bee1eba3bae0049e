"""The Python API: measures and judges a model in memory, like the command `padcheck compare`.

    >>> import padcheck
    >>> from padcheck.demo import MODEL_FOLDER
    >>> from transformers import AutoModelForCausalLM, AutoTokenizer
    >>> model = AutoModelForCausalLM.from_pretrained(MODEL_FOLDER)
    >>> tokenizer = AutoTokenizer.from_pretrained(MODEL_FOLDER)
    >>> report = padcheck.compare(model, tokenizer, ["Monday Tuesday", "January February March"])
    >>> report.status
    'pass'
    >>> report.assert_ok()

A warning makes nothing fail, unless `fail_on` says so:

    >>> "PAD202" in {finding.code for finding in report.findings}
    True
    >>> strict = padcheck.compare(model, tokenizer, fail_on="warning")
    >>> strict.assert_ok()  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: FAIL by --fail-on warning: left padding changes nothing...
    ...
"""

import reprlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from enum import Enum
from numbers import Number
from types import MappingProxyType, NoneType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

import msgspec

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
_Settings = TypeVar("_Settings", MeasureSettings, JudgeSettings)

_IN_WORDS: dict[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a text",
    tuple[str, ...]: "a list of texts",
    dict[str, str]: 'a reason for each code: {"PAD106": "why"}',
    NoneType: "None",
}


class Report(report.Report, frozen=True, kw_only=True):
    """What padding changes: `status`, `findings`, `comparisons` and `advice`. `evidence` holds the measurements.

    `str()` gives the short report, with every finding in full.
    """

    def assert_ok(self) -> None:
        """Does nothing if the status is "pass".

        Raises:
            AssertionError: There is a finding at or above `fail_on`, or nothing could be measured. The message is the
                short report.
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
        prompts: Texts of different lengths; None for two built-in prompts.
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
        atol: The allowed absolute difference of logits. The tolerance is measured if neither this nor `rtol` is given.
        rtol: The allowed difference as a share of the largest logit, added to `atol`.
        select: The codes that count, or prefixes of codes. All codes count if it is empty.
        ignore: The reason for each code, or prefix of codes, that does not count.
        fail_on: The lowest severity that makes the report fail. None if no finding does; a report without a
            measurement still fails.
        task: What your code does: "generate", "score" or "train". Only this task is judged.
        padding_side: The side that your code pads on: "left" or "right". Only this side is judged.

    Returns:
        The report. A finding does not raise an error; `Report.assert_ok` does.

    Raises:
        PadcheckError: There is no report. It is one of these two classes of `padcheck.errors`:
        UsageError: An option has the wrong type, is out of range, or does not fit this model or tokenizer.
        NotMeasuredError: Nothing can be measured: an encoder-decoder model, a model without a language modeling head,
            no token to pad with, or not enough memory.
    """
    __tracebackhide__ = True
    measure = settings_of(
        MeasureSettings,
        prompts=() if prompts is None else as_tuple(prompts),
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
    judgement = settings_of(
        JudgeSettings,
        atol=atol,
        rtol=rtol,
        select=as_tuple(select),
        ignore=dict(ignore) if isinstance(ignore, Mapping) else ignore,
        fail_on=fail_on,
        task=task,
        padding_side=padding_side,
    )
    judgement = replace(
        judgement,
        select=tuple(code.upper() for code in judgement.select),
        ignore={code.upper(): why for code, why in judgement.ignore.items()},
    )
    judged = one_model.compare_in_memory(model, tokenizer, measure, judgement, Silent())
    return Report(**{name: getattr(judged, name) for name in judged.__struct_fields__})


def settings_of(kind: type[_Settings], **given: object) -> _Settings:
    """The settings with these values.

    Raises:
        UsageError: A value has the wrong type or is out of range.
    """
    types = {each.name: each.type for each in fields(kind)}
    return kind(**{option: _converted(option, value, types[option]) for option, value in given.items()})


def _converted(option: str, value: object, kind: Any) -> Any:
    try:
        return msgspec.convert(_of_python(value), kind)
    except (msgspec.ValidationError, UnicodeError, AttributeError):  # the last two for some strange objects
        *others, last = _in_words(kind)
        change = f"Use {', '.join(others)} or {last}." if others else f"Use {last}."
        raise UsageError(f"{option} is {reprlib.repr(value)}.", change=change) from None


def as_tuple(texts: object) -> object:
    """The texts of any iterable; anything else is returned as it is, also a single text."""
    if isinstance(texts, Iterable) and not isinstance(texts, str | bytes | Mapping):
        with suppress(TypeError):  # an array without dimensions
            return tuple(map(_of_python, texts))
    return texts


def _of_python(value: object) -> object:
    """A number or text of numpy as one of Python, which a report can be saved with; anything else as it is."""
    return value.item() if isinstance(value, Number | str) and hasattr(value, "item") else value


def _in_words(kind: Any) -> list[str]:
    """What a setting of this type can be."""
    if kind in _IN_WORDS:
        return [_IN_WORDS[kind]]
    if isinstance(kind, type) and issubclass(kind, Enum):
        return [repr(member.value) for member in kind]
    if get_origin(kind) is Literal:
        return [repr(value) for value in get_args(kind)]
    return [word for each in get_args(kind) for word in _in_words(each)]
