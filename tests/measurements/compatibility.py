"""The compatibility table: `make survey` runs `padcheck survey`, writes docs/compatibility.md and updates the README.

The table shows upstream's own tests (docs/upstream.json) next to what was measured, and explains it with the notes of
docs/notes.json. Ends with 1 if too few architectures were judged, and raises an error if an entry lacks an explanation.
"""

import argparse
import datetime as dt
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from at_a_glance import at_a_glance
from readme import DOCS, README, replace_block, table, write_block

from padcheck.core.variant_name import variant_name
from padcheck.hf.library.auto_classes import causal_model_types

PAGE = DOCS / "compatibility.md"
FAULTS = DOCS / "faults"
NEEDED = 180
"""The minimum number of causal model types that must be judged, for transformers 5.23."""

_OK = ("identical", "equivalent")
_LARGEST_ALLOWANCE = 0.01
"""In logits. If rounding were allowed more than this, faults could hide."""
_TESTED, _SKIPPED = "tested", "skipped"
_USUAL = {"PAD202", "PAD203", "PAD401", "PAD402", "PAD406"}
_OF_CLASSIFIERS = {"PAD405", "PAD407", "PAD408", "PAD409", "PAD411", "PAD412", "PAD415"}
"""Codes that only repeat a column, and those that the table of classifiers shows."""

_PREFILL_ALONE = "Upstream tests only the first new token; later ones differ."
_DOES_NOT_SHOW = "Upstream skips its test; here the limit does not show."

_MORE = "[The whole table](docs/compatibility.md) explains each, with a script for each likely fault of transformers."

Architecture = dict[str, Any]


class Note(NamedTuple):
    """Our note on an architecture, and the script that shows the fault using only transformers and torch."""

    text: str
    script: str | None


class Shown(NamedTuple):
    """A script with its docstring and its output."""

    script: Path
    title: str
    text: str
    output: str


def notes() -> dict[str, Note]:
    """The notes, by model type."""
    entries = json.loads((DOCS / "notes.json").read_text(encoding="utf-8"))
    return {each: Note(entry["note"], entry["script"]) for entry in entries for each in entry["model_types"]}


def upstream() -> dict[str, dict[str, str]]:
    """What upstream's own test of left padding covers, by model type."""
    document: dict[str, dict[str, dict[str, str]]] = json.loads((DOCS / "upstream.json").read_text(encoding="utf-8"))
    return document["model_types"]


def is_ok(architecture: Architecture, name: str) -> bool:
    """True if it ran and is within rounding, unless rounding moves the logits so far that this proves nothing."""
    return _is_within_rounding(architecture, name) and (
        architecture["allowed"] <= _LARGEST_ALLOWANCE or architecture["max_abs_diffs"][name] <= _LARGEST_ALLOWANCE
    )


def _is_within_rounding(architecture: Architecture, name: str) -> bool:
    return architecture["verdicts"].get(name) in _OK


def explanation(architecture: Architecture, tested: dict[str, str], note: Note | None) -> str:
    """The text for the last column: how upstream's test explains a disagreement, followed by the note.

    Raises:
        ValueError: Upstream and the survey disagree without an explanation, or an error is neither a known limit nor
            explained, or so much is allowed for rounding that a fault could hide.
    """
    model_type = name(architecture)
    if architecture["allowed"] > _LARGEST_ALLOWANCE and not architecture["known_limit"]:
        raise ValueError(f"{model_type}: {architecture['allowed']:.2g} is allowed for rounding")
    first, all_steps = is_ok(architecture, "left_first_token"), is_ok(architecture, "left_generate")
    parts = []
    if tested.get("status") == _TESTED and first and not all_steps:
        parts.append(_PREFILL_ALONE)
    if tested.get("status") == _SKIPPED and all_steps:
        parts.append(_DOES_NOT_SHOW)
    if note is not None:
        parts.append(note.text)
    elif tested.get("status") == _TESTED and not first:
        raise ValueError(
            f"{model_type}: upstream tests its left padding, and here it is wrong: explain it in docs/notes.json"
        )
    elif unexplained(architecture):
        raise ValueError(f"{model_type}: {', '.join(unexplained(architecture))} is not explained in docs/notes.json")
    return " ".join(parts)


def unexplained(architecture: Architecture) -> list[str]:
    """Codes that say something is wrong; none if the architecture has a known limit."""
    return [] if architecture["known_limit"] else _telling(architecture)


def _telling(architecture: Architecture) -> list[str]:
    return [
        finding["code"]
        for finding in architecture["details"]
        if finding["code"] not in _USUAL | _OF_CLASSIFIERS and finding["severity"] != "info"
    ]


def run_survey(*, multimodal: bool) -> dict[str, Any]:
    """The JSON document of the survey.

    Raises:
        RuntimeError: A bug in padcheck, or a wrong command line.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "survey.json"
        asked = ["--task", "classify", *(["--multimodal"] if multimodal else [])]
        written = ["--format", "json", "--output", str(path)]
        done = subprocess.run([sys.executable, "-m", "padcheck", "survey", *asked, *written], check=False)
        if done.returncode not in (0, 1, 3):
            raise RuntimeError(f"padcheck survey ended with {done.returncode}")
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return document


def run_script(script: Path) -> Shown:
    """Runs the script of a fault in a separate process."""
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": "110"}
    )
    docstring = script.read_text(encoding="utf-8").split('"""')[1]
    title, _, text = docstring.strip().partition("\n\n")
    return Shown(script, title.rstrip("."), " ".join(text.split()), done.stdout)


def blocks(document: dict[str, Any], shown: list[Shown], causal: list[Architecture]) -> dict[str, str]:
    """The measured blocks of docs/compatibility.md, by the name in their markers."""
    versions = document["environment"]
    today = dt.datetime.now(tz=dt.timezone.utc).date().isoformat()
    other = [each for each in document["architectures"] if each not in causal]
    return {
        "versions": f"transformers {versions['transformers']}, torch {versions['torch']}, "
        f"padcheck {versions['padcheck']}, {today}.",
        "names": at_a_glance(split(causal)[0], is_ok, notes()),
        "sums": sums(split(causal)[0]),
        "wrong": wrong(causal),
        "causal": rows(split(lines(causal))[0]),
        "causal, not judged": reasons(split(lines(causal))[1]),
        "classifiers": classifiers(split(lines(causal))[0]),
        "faults": "\n\n".join(map(fault, shown)),
        "multimodal": rows(split(lines(other))[0]),
        "multimodal, not judged": reasons(split(lines(other))[1]),
    }


def reasons(architectures: list[Architecture]) -> str:
    """A table of the architectures that were not judged, with the reasons."""
    return table(("model type", "why not"), [(name(each), each["reason"]) for each in architectures])


def lines(architectures: list[Architecture]) -> list[Architecture]:
    """The lines of the table: each architecture, or each of its variants."""
    return [line for each in architectures for line in each["variants"] or [each]]


def name(line: Architecture) -> str:
    """The model type, and the variant if the line is one; `padcheck compare NAME --tiny` measures it."""
    return variant_name(line["model_type"], line["variant"])


def fault(shown: Shown) -> str:
    """A section on one script: its docstring and its output."""
    name = shown.script.name
    return f"### [{name}](faults/{name})\n\n{shown.title}. {shown.text}\n\n```text\n{shown.output.rstrip()}\n```"


def split(architectures: list[Architecture]) -> tuple[list[Architecture], list[Architecture]]:
    """The judged architectures, and those that were not judged."""
    judged = [each for each in architectures if each["status"] == "judged"]
    return judged, [each for each in architectures if each["status"] != "judged"]


def rows(architectures: list[Architecture]) -> str:
    """The table: one row a model type, followed by those of its variants."""
    told, tested = notes(), upstream()
    headings = (
        *("model type", "positions", "generate left", "generate right", "score left", "score right", "forward left"),
        *("cache right", "packed", "no mask", "findings", "upstream", "explanation"),
    )
    found = []
    for each in architectures:
        note = told.get(name(each))
        script = f" [Script](faults/{note.script})." if note and note.script else ""
        limit = f"Known limit: {each['known_limit']}. " if each["known_limit"] else ""
        # Upstream tests its own configs, which are like the default ones.
        said = tested.get(name(each), {})
        why = f": {said['reason']}" if "reason" in said else ""
        found.append(
            (
                name(each),
                each["position_encoding"],
                _cell(each, "left_generate"),
                _cell(each, "right_generate"),
                _scored_left(each),
                _cell(each, "right_score"),
                _cell(each, "left_forward_no_position_ids"),
                _cell(each, "right_continue"),
                _cell(each, "packed"),
                _cell(each, "left_no_mask", ok="same"),
                " ".join(_telling(each)),
                f"{said['status']}{why}" if said else "",
                f"{limit}{explanation(each, said, note)}{script}".strip(),
            )
        )
    return table(headings, found)


def classifiers(judged: list[Architecture]) -> str:
    """The table of the sequence classifiers: what padding on each side does, and the codes that say why."""
    found = [each for each in judged if "classify_left" in each["verdicts"]]
    wrong = [each for each in found if not (is_ok(each, "classify_left") and is_ok(each, "classify_right"))]
    rows = [
        (
            name(each),
            _cell(each, "classify_left"),
            _cell(each, "classify_right"),
            " ".join(finding["code"] for finding in each["details"] if finding["code"] in _OF_CLASSIFIERS - {"PAD405"}),
        )
        for each in wrong
    ]
    right = ", ".join(name(each) for each in found if each not in wrong)
    return f"{table(('model type', 'left', 'right', 'why'), rows)}\n\nRight on both sides: {right}."


def _cell(architecture: Architecture, name: str, ok: str = "ok") -> str:
    if is_ok(architecture, name):
        return ok
    far = architecture["max_abs_diffs"].get(name)
    if far is None:
        return str(architecture["verdicts"].get(name, "not_run")).replace("_", " ")
    return f"{far:.2g}, rounding" if _is_within_rounding(architecture, name) else f"{far:.2g}"


def _scored_left(architecture: Architecture) -> str:
    ways = ("left_forward_position_ids", "left_forward_no_position_ids")
    return _cell(architecture, next((name for name in ways if is_ok(architecture, name)), ways[1]))


def sums(judged: list[Architecture]) -> str:
    """A table of how many architectures are right, for each way to use them."""
    asked = {
        "generating, padded on the left": lambda each: is_ok(each, "left_generate"),
        "generating, padded on the right": lambda each: is_ok(each, "right_generate"),
        "scoring, padded on the right": lambda each: is_ok(each, "right_score"),
        "scoring, padded on the left": lambda each: _scored_left(each) == "ok",
        "scoring, padded on the left, without position_ids": lambda each: is_ok(each, "left_forward_no_position_ids"),
        "continuing from the cache of a right-padded prompt": lambda each: is_ok(each, "right_continue"),
        "packed into one row, without padding": lambda each: is_ok(each, "packed"),
        "without attention_mask": lambda each: is_ok(each, "left_no_mask"),
    }
    counts = [(what, sum(map(right, judged))) for what, right in asked.items()]
    return table(
        (f"{len(judged)} architectures", "right", "wrong, or not possible"),
        [(what, str(count), str(len(judged) - count)) for what, count in counts],
    )


def wrong(causal: list[Architecture]) -> str:
    """The architectures whose left-padded generation is wrong."""
    found = [name(each) for each in split(lines(causal))[0] if not is_ok(each, "left_generate")]
    return f"Left-padded generation is wrong for {', '.join(found)}."


def summary(document: dict[str, Any], judged: list[Architecture]) -> str:
    """The README's block."""
    version = document["environment"]["transformers"]
    return f"transformers {version}, measured by `make survey`:\n\n{sums(judged)}\n\n{_MORE}"


def main() -> int:
    """Runs the survey, and writes the page and the README if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/compatibility.md and the README's block")
    arguments = parser.parse_args()
    document = run_survey(multimodal=arguments.write)
    causal = [each for each in document["architectures"] if each["model_type"] in causal_model_types()]
    if missing := sorted({each["model_type"] for each in causal} - upstream().keys()):
        raise ValueError(f"docs/upstream.json has no entry for {', '.join(missing)}")
    judged, _ = split(causal)
    shown = [run_script(script) for script in sorted(FAULTS.glob("*.py"))]
    page = PAGE.read_text(encoding="utf-8")
    for name, block in blocks(document, shown, causal).items():
        page = replace_block(page, name, block)
    print(sums(judged))
    if arguments.write:
        PAGE.write_text(page, encoding="utf-8")
        write_block(README, "survey", summary(document, judged))
    return int(len(judged) < NEEDED)


if __name__ == "__main__":
    sys.exit(main())
