"""What every format says about a survey, in the same words: plain strings without layout."""

from collections import Counter
from collections.abc import Collection, Iterable

from padcheck.core.report import Architecture, Survey
from padcheck.core.run_plans import MODES
from padcheck.core.severity import Severity
from padcheck.core.use_case import HEADS
from padcheck.core.verdicts import Verdict
from padcheck.reporters.report.wording.what_was_run import library_behaviour, versions

TITLE = "Left and right padding by architecture"
LIMITS_TITLE = "Left padding cannot work by design"
NOT_JUDGED_TITLE = "Not judged"

COLUMNS = {
    "left_generate": "generate left",
    "right_generate": "generate right",
    "right_score": "score right",
    "left_forward_no_position_ids": "forward left",
    "packed": "packed",
    "left_no_mask": "no mask",
}
"""The columns of every survey: the name of the verdict, and the heading."""

_ALONE: dict[str, str] = {mode.left: mode.alone for mode in MODES.values()}
"""The prompts alone in each mode, by the left-padded batch in that mode."""

_LEGEND = (
    ("generate", "generate() on a padded batch, compared with each prompt alone at every step"),
    ("score", "forward() on a right-padded batch, read at the last real token of each row"),
    ("forward left", "forward() on a left-padded batch, with attention_mask and without position_ids"),
    ("packed", "all prompts in one row, each with position_ids from 0, compared with each prompt alone"),
    ("no mask", "left-padded generate() without attention_mask; same if the mask changes nothing"),
    ("a number", "the largest difference of a logit; logits have a standard deviation of about 2"),
    ("a number?", "the same, but rounding alone moves logits that far, so it decides nothing"),
)

_LEGEND_OF_VARIANTS = (
    ("+name", "what checkpoints of the model type above set, such as another position scaling"),
    ("decoding", "every prompt passes the limit while it generates; otherwise some are beyond it from the start"),
)
_LEGEND_OF_MODES = (
    ("a mode", "left-padded generate() in this mode, compared with each prompt alone in this mode"),
    ("alone", "without padding the mode already differs from plain generate()"),
)

NO_CLASS = "-"
"""The cell of a task for which transformers has no class of this model type."""

_LEGEND_OF_TASKS = (
    ("classify, embed", "forward() with this head on a batch padded on that side, compared with each prompt alone"),
    (NO_CLASS, "transformers has no class of this model type for the task"),
)

_AS_LARGE_AS_A_FAULT = 0.5
"""Logit units. At toy size, rounding to 16 bit stays below it, unless rounding flips a choice such as a router's."""

_SIDES = ("left", "right")
_OF_TASKS = tuple(f"{task}_{side}" for task in HEADS for side in _SIDES)
"""The columns of tasks, which only some model types have a class for."""

WITHOUT_MASK = "left_no_mask"
"""The column in which a difference is not a fault."""

_IN_A_COLUMN = {
    "PAD202": "right_generate",
    "PAD203": WITHOUT_MASK,
    "PAD401": "left_forward_no_position_ids",
    "PAD402": "right_score",
    "PAD406": "packed",
}
"""The codes that only repeat a column, and that column."""

_IN_OTHER_COLUMNS = ("PAD209", "PAD210", "PAD405", "PAD407")
"""The codes that only repeat the columns of modes and tasks."""


def columns(survey: Survey) -> dict[str, str]:
    """The columns of this survey, with one for each mode and two for each task that were asked for."""
    of_modes = {mode.left: name for name, mode in MODES.items() if name in _asked(survey, "with_modes")}
    return COLUMNS | of_modes | {f"{task}_{side}": f"{task} {side}" for task in _tasks(survey) for side in _SIDES}


def header(survey: Survey) -> list[tuple[str, str]]:
    """Label and text of each line: versions and settings."""
    judged_by = {key: getattr(survey.judgement, key) for key in ("atol", "rtol", "select", "ignore")}
    given = ", ".join(
        f"{key} {_listed(value)}" for key, value in (survey.settings | judged_by).items() if _is_given(value)
    )
    seen = Counter(each for architecture in judged(survey) for each in architecture.library_behaviour.items())
    usual = {key: max((count, value) for (other, value), count in seen.items() if other == key)[1] for key, _ in seen}
    return [
        ("versions", versions(survey.environment)),
        *([("this transformers", does)] if (does := library_behaviour(usual)) else []),
        ("models", f"default configs at toy size, missing values filled in, random weights, {given}"),
    ]


def legend(survey: Survey) -> list[tuple[str, str]]:
    """What the columns, the cells and the lines mean."""
    of_modes = _LEGEND_OF_MODES if _asked(survey, "with_modes") else ()
    of_tasks = _LEGEND_OF_TASKS if _tasks(survey) else ()
    has_variants = any(line.variant for line in lines(survey))
    return [*_LEGEND, *of_modes, *of_tasks, *(_LEGEND_OF_VARIANTS if has_variants else ())]


def judged(survey: Survey) -> list[Architecture]:
    """The architectures that were judged."""
    return [architecture for architecture in survey.architectures if architecture.status == "judged"]


def lines(survey: Survey) -> list[Architecture]:
    """The lines of the table: each architecture and variant that was judged."""
    return [line for architecture in survey.architectures for line in architecture.lines if line.status == "judged"]


def short_name(line: Architecture) -> str:
    """The model type; of a variant, which stands below its model type, only the variant."""
    return line.model_type if line.variant is None else "  " + line.name.removeprefix(line.model_type)


def not_judged(survey: Survey) -> list[tuple[str, str]]:
    """Name and reason of each architecture and variant that was not judged."""
    return [
        (line.name, line.reason or "")
        for architecture in survey.architectures
        for line in architecture.lines
        if line.status != "judged"
    ]


def cell(architecture: Architecture, name: str) -> str:
    """`ok`, or the largest difference. In the column without a mask it is `same`, which is neither right nor wrong."""
    if name in _OF_TASKS and name not in architecture.verdicts:
        return NO_CLASS
    run = _deciding(architecture, name)
    verdict = architecture.verdicts.get(run, Verdict.NOT_RUN)
    if verdict is Verdict.NOT_RUN:
        return "not run"
    alone = "" if run == name else "alone "
    if verdict is Verdict.NON_FINITE:
        return f"{alone}NaN"
    far = architecture.max_abs_diffs.get(run)
    if is_right(architecture, name) or far is None:
        return "same" if name == WITHOUT_MASK else "ok"
    return f"{alone}{far:.2g}{'?' if verdict.within_rounding else ''}"


def is_right(architecture: Architecture, name: str) -> bool:
    """True if it ran, padding changes nothing beyond rounding, and rounding is small enough to tell."""
    run = _deciding(architecture, name)
    far = architecture.max_abs_diffs.get(run) or 0.0
    return architecture.verdicts.get(run, Verdict.NOT_RUN).within_rounding and far < _AS_LARGE_AS_A_FAULT


def is_wrong(architecture: Architecture, name: str) -> bool:
    """True if padding changes what the model says."""
    return architecture.verdicts.get(_deciding(architecture, name)) in (Verdict.DIFFERENT, Verdict.NON_FINITE)


def _deciding(architecture: Architecture, name: str) -> str:
    """The verdict that a column shows. In a mode that is the one on the prompts alone, unless they are right."""
    alone = _ALONE.get(name, name)
    return name if architecture.verdicts.get(alone, Verdict.NOT_RUN).within_rounding else alone


def codes(architecture: Architecture) -> list[str]:
    """The codes of the findings that no column shows."""
    return [
        finding.code
        for finding in architecture.details
        if finding.severity is not Severity.INFO
        and finding.code not in _IN_OTHER_COLUMNS
        and not is_wrong(architecture, _IN_A_COLUMN.get(finding.code, ""))
    ]


def known_limits(survey: Survey) -> list[tuple[str, str]]:
    """The model types in which left padding cannot work by design, and the reason."""
    found: dict[str, list[str]] = {}
    for architecture in judged(survey):
        if architecture.known_limit is not None:
            unseen = " (not seen here)" if is_right(architecture, "left_generate") else ""
            found.setdefault(architecture.known_limit, []).append(architecture.model_type + unseen)
    return [(", ".join(model_types), reason) for reason, model_types in found.items()]


def tally(survey: Survey) -> list[tuple[str, str]]:
    """How many architectures are right and wrong in each column."""
    return [(heading, _count(judged(survey), name)) for name, heading in columns(survey).items()]


def conclusion(survey: Survey) -> str:
    """The whole survey in one sentence."""
    number, of = len(judged(survey)), len(survey.architectures)
    right = sum(is_right(architecture, "left_generate") for architecture in judged(survey))
    verdict = {"pass": "PASS", "fail": "FAIL", "not_measured": "NOT ALL MEASURED", "error": "A BUG IN PADCHECK"}
    in_every = " in every variant" if any(architecture.variants for architecture in judged(survey)) else ""
    judged_right = f"{number} of {of} judged, {right} of them right{in_every} with left padding in generate()"
    return f"{verdict[survey.status]}: {judged_right}"


def _asked(survey: Survey, setting: str) -> Collection[object]:
    asked = survey.settings.get(setting)
    return asked if isinstance(asked, (list, tuple)) else ()


def _tasks(survey: Survey) -> list[str]:
    return [task for task in HEADS if task in _asked(survey, "tasks")]


def _is_given(value: object) -> bool:
    return value is not None and value not in ((), [], {})


def _listed(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, (tuple, list, dict)) else str(value)


def _count(architectures: Iterable[Architecture], name: str) -> str:
    off = "need the mask" if name == WITHOUT_MASK else "wrong"
    found = Counter(off if is_wrong(each, name) else _kind(cell(each, name)) for each in architectures)
    kinds = ("ok", "same", off, "unclear", "not run", "no class")
    return ", ".join(f"{found[kind]} {kind}" for kind in kinds if found[kind])


def _kind(cell: str) -> str:
    return "unclear" if cell.endswith("?") else "no class" if cell == NO_CLASS else cell
