"""What every format says of a survey, in the same words."""

from collections import Counter
from collections.abc import Iterable

from padcheck.core.report import Architecture, Survey, Verdict
from padcheck.core.severity import Severity
from padcheck.reporters.report.wording.what_was_run import library_behaviour
from padcheck.reporters.text.visible import visible

COLUMNS = {
    "left_generate": "generate left",
    "right_generate": "generate right",
    "right_score": "score right",
    "left_forward_no_position_ids": "forward left",
    "left_no_mask": "no mask",
}
"""What was done, by its verdict's name, and the heading above it."""

LEGEND = (
    ("generate", "generate() on a padded batch, against each prompt alone, all steps"),
    ("score", "forward() on a right-padded batch, read at each row's last real token"),
    ("forward left", "forward() on a left-padded batch, mask given and position_ids left to the model"),
    ("no mask", "left-padded generate() without attention_mask; same: the mask changes nothing"),
    ("a number", "by how much logits differ at most, of a standard deviation of about 2"),
    ("a number?", "the same, where rounding alone moves them that far: nothing can be said"),
)

_AS_LARGE_AS_A_FAULT = 0.5
"""Of logits; 16 bit does not round that far at toy size, but a choice that rounding turns moves them further."""

WITHOUT_MASK = "left_no_mask"
"""The column in which a difference is no fault."""

_IN_A_COLUMN = {
    "PAD202": "right_generate",
    "PAD203": WITHOUT_MASK,
    "PAD401": "left_forward_no_position_ids",
    "PAD402": "right_score",
}
"""Codes that only say what a column shows, and which."""


def header(survey: Survey) -> list[tuple[str, str]]:
    """Versions and settings."""
    versions, settings = survey.environment, survey.settings
    judged_by = {key: getattr(survey.judgement, key) for key in ("atol", "rtol", "select", "ignore")}
    given = ", ".join(f"{key} {_listed(value)}" for key, value in (settings | judged_by).items() if _is_given(value))
    libraries = f"transformers {versions.transformers}, tokenizers {versions.tokenizers}, torch {versions.torch}"
    seen = Counter(each for architecture in judged(survey) for each in architecture.library_behaviour.items())
    usual = {key: max((count, value) for (other, value), count in seen.items() if other == key)[1] for key, _ in seen}
    return [
        ("versions", f"padcheck {versions.padcheck}, {libraries}, Python {versions.python}"),
        *([("this transformers", does)] if (does := library_behaviour(usual)) else []),
        ("models", visible(f"default configs, completed and at toy size, random weights, {given}")),
    ]


def judged(survey: Survey) -> list[Architecture]:
    """Those that were."""
    return [architecture for architecture in survey.architectures if architecture.status == "judged"]


def not_judged(survey: Survey) -> list[tuple[str, str]]:
    """Model type and reason of those that were not."""
    return [
        (architecture.model_type, visible(architecture.reason or ""))
        for architecture in survey.architectures
        if architecture.status != "judged"
    ]


def cell(architecture: Architecture, name: str) -> str:
    """`ok`, or by how much it is off; without a mask `same` is neither good nor bad."""
    verdict = architecture.verdicts.get(name, Verdict.NOT_RUN)
    if verdict is Verdict.NOT_RUN:
        return "not run"
    if verdict is Verdict.NON_FINITE:
        return "NaN"
    far = architecture.max_abs_diffs.get(name)
    if is_right(architecture, name) or far is None:
        return "same" if name == WITHOUT_MASK else "ok"
    return f"{far:.2g}?" if verdict.within_rounding else f"{far:.2g}"


def is_right(architecture: Architecture, name: str) -> bool:
    """True where it ran, and padding changes nothing beyond rounding, which by itself changes little."""
    far = architecture.max_abs_diffs.get(name) or 0.0
    return architecture.verdicts.get(name, Verdict.NOT_RUN).within_rounding and far < _AS_LARGE_AS_A_FAULT


def is_wrong(architecture: Architecture, name: str) -> bool:
    """True where padding changes what the model says."""
    return architecture.verdicts.get(name) in (Verdict.DIFFERENT, Verdict.NON_FINITE)


def codes(architecture: Architecture) -> list[str]:
    """The findings that no column shows: what is wrong, and the cause."""
    return [
        finding.code
        for finding in architecture.details
        if finding.severity is not Severity.INFO and not is_wrong(architecture, _IN_A_COLUMN.get(finding.code, ""))
    ]


def known_limits(survey: Survey) -> list[tuple[str, str]]:
    """Why left padding cannot be right by design, and the model types that it is said of."""
    told: dict[str, list[str]] = {}
    for architecture in judged(survey):
        if architecture.known_limit is not None:
            shows = " (does not show here)" if is_right(architecture, "left_generate") else ""
            told.setdefault(architecture.known_limit, []).append(architecture.model_type + shows)
    return [(", ".join(model_types), reason) for reason, model_types in told.items()]


def tally(survey: Survey) -> list[tuple[str, str]]:
    """For each column how many are right, and how many not."""
    return [(heading, _count(judged(survey), name)) for name, heading in COLUMNS.items()]


def conclusion(survey: Survey) -> str:
    """The whole survey in one sentence."""
    number, of = len(judged(survey)), len(survey.architectures)
    right = sum(is_right(architecture, "left_generate") for architecture in judged(survey))
    verdict = {"pass": "PASS", "fail": "FAIL", "not_measured": "NOT ALL MEASURED", "error": "A BUG IN PADCHECK"}
    return f"{verdict[survey.status]}: {number} of {of} judged, {right} of them right when left-padded for generating"


def _is_given(value: object) -> bool:
    return value is not None and value not in ((), {})


def _listed(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (tuple, dict)) else str(value)


def _count(architectures: Iterable[Architecture], name: str) -> str:
    off = "need the mask" if name == WITHOUT_MASK else "wrong"
    found = Counter(off if is_wrong(each, name) else _kind(cell(each, name)) for each in architectures)
    return ", ".join(f"{found[kind]} {kind}" for kind in ("ok", "same", off, "unclear", "not run") if found[kind])


def _kind(cell: str) -> str:
    return "unclear" if cell.endswith("?") else cell
