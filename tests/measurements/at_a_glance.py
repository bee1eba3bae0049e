"""The table that opens docs/compatibility.md: the models that people use, by name, and what each needs.

`docs/names.json` gives the model types of each name. Every answer comes from the verdicts of the survey.
"""

import json
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from readme import table

NAMES = Path(__file__).parents[2] / "docs" / "names.json"

Architecture = dict[str, Any]
IsOk = Callable[[Architecture, str], bool]


def names() -> dict[str, list[str]]:
    """The model types of each name, in the order of the table."""
    return {entry["name"]: entry["model_types"] for entry in json.loads(NAMES.read_text(encoding="utf-8"))}


def at_a_glance(judged: list[Architecture], is_ok: IsOk, explained: Collection[str]) -> str:
    """The table, one row a name. A name without a judged model type has no row.

    Args:
        judged: The architectures of the survey that were judged.
        is_ok: Whether an architecture is right in a run; the name of the run is its key in the survey's JSON.
        explained: The model types that have a note, which get a star, as known limits do.
    """
    by_type = {each["model_type"]: each for each in judged}
    rows = []
    for name, model_types in names().items():
        found = [by_type[model_type] for model_type in model_types if model_type in by_type]
        if found:
            cells = (_together(found, lambda each, answer=answer: answer(each, is_ok)) for answer in _COLUMNS.values())
            rows.append((name, ", ".join(_starred(each, explained) for each in found), *cells))
    return table(("model", "model type", *_COLUMNS), rows)


def _starred(each: Architecture, explained: Collection[str]) -> str:
    model_type: str = each["model_type"]
    return f"{model_type} *" if each["known_limit"] or model_type in explained else model_type


def _together(found: list[Architecture], answer: Callable[[Architecture], str]) -> str:
    """One answer if all agree, otherwise each answer with its model types and the variants that are unlike theirs."""
    by_answer: dict[str, list[str]] = {}
    for each in found:
        default, *variants = each.get("variants") or [each]
        usual = answer(default)
        by_answer.setdefault(usual, []).append(each["model_type"])
        for variant in variants:
            name = f"{each['model_type']}+{variant['variant'].removesuffix('-decoding')}"
            if variant["status"] == "judged" and answer(variant) != usual:
                unlike = by_answer.setdefault(answer(variant), [])
                unlike += [] if name in unlike else [name]
    if len(by_answer) == 1:
        return next(iter(by_answer))
    return "; ".join(f"{said}: {', '.join(names)}" for said, names in by_answer.items())


def _can(run: str) -> Callable[[Architecture, IsOk], str]:
    def answer(each: Architecture, is_ok: IsOk) -> str:
        if each["verdicts"].get(run, "not_run") == "not_run":
            return "not measured"
        return "yes" if is_ok(each, run) else "**no**"

    return answer


def _needs_positions(each: Architecture, is_ok: IsOk) -> str:
    if is_ok(each, "left_forward_no_position_ids"):
        return "no"
    return "**yes**" if is_ok(each, "left_forward_position_ids") else "wrong with them too"


def _needs_mask(each: Architecture, is_ok: IsOk) -> str:
    return "no, it changes nothing" if is_ok(each, "left_no_mask") else "yes"


_COLUMNS = {
    "pad left to generate?": _can("left_generate"),
    "pad right to score?": _can("right_score"),
    "padded left, forward() needs position_ids?": _needs_positions,
    "generate() needs the mask?": _needs_mask,
    "pack without padding?": _can("packed"),
}
