"""The compatibility table: `make survey` runs `padcheck survey` and writes docs/compatibility.md and the README's sum.

What upstream's own tests say (docs/upstream.json) stands beside what was measured, and docs/notes.json says what is
behind it. Ends with 1 where too few architectures were judged, or something in the table is not explained.
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

from readme import README, replace_block, table

from padcheck.hf.library.auto_classes import causal_model_types

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "compatibility.md"
FAULTS = DOCS / "faults"
NEEDED = 180
"""How many causal model types must be judged, of transformers 5.23."""

_OK = ("identical", "equivalent")
_LARGEST_ALLOWANCE = 0.01
"""Of logits; where more were allowed for rounding, nothing would be seen."""
_TESTED, _SKIPPED = "tested", "skipped"
_USUAL = {"PAD202", "PAD203", "PAD401", "PAD402"}
"""Codes that only say what a column shows."""

_PREFILL_ALONE = "Upstream tests the first new token alone; later ones differ."
_DOES_NOT_SHOW = "Upstream skips its test; here the limit does not show."

_MORE = (
    "[The whole table](docs/compatibility.md) says why, with a script for each that looks like a fault of transformers."
)

Architecture = dict[str, Any]


class Note(NamedTuple):
    """What we say of an architecture, and the script that shows it with transformers alone."""

    text: str
    script: str | None


class Shown(NamedTuple):
    """What a script says in its docstring and on stdout."""

    script: Path
    title: str
    text: str
    output: str


def notes() -> dict[str, Note]:
    """By model type."""
    entries = json.loads((DOCS / "notes.json").read_text(encoding="utf-8"))
    return {each: Note(entry["note"], entry["script"]) for entry in entries for each in entry["model_types"]}


def upstream() -> dict[str, dict[str, str]]:
    """What upstream's own test of left padding does, by model type."""
    document: dict[str, dict[str, dict[str, str]]] = json.loads((DOCS / "upstream.json").read_text(encoding="utf-8"))
    return document["model_types"]


def is_ok(architecture: Architecture, name: str) -> bool:
    """True where it ran, and is within rounding; not where rounding alone moves so much that this says nothing."""
    return _is_within_rounding(architecture, name) and (
        architecture["allowed"] <= _LARGEST_ALLOWANCE or architecture["max_abs_diffs"][name] <= _LARGEST_ALLOWANCE
    )


def _is_within_rounding(architecture: Architecture, name: str) -> bool:
    return architecture["verdicts"].get(name) in _OK


def explanation(architecture: Architecture, tested: dict[str, str], note: Note | None) -> str:
    """The note, behind what follows from the way upstream tests where it speaks and we differ.

    Raises:
        ValueError: The two differ, or there is an error that is no known limit, and nothing explains it; or so much is
            allowed for rounding that a fault could hide.
    """
    model_type = architecture["model_type"]
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
        raise ValueError(f"{model_type}: upstream tests its left padding, and it is wrong here: docs/notes.json?")
    elif unexplained(architecture):
        raise ValueError(f"{model_type}: {', '.join(unexplained(architecture))} and no word on it in docs/notes.json")
    return " ".join(parts)


def unexplained(architecture: Architecture) -> list[str]:
    """Codes that say that something is wrong, where no limit is known."""
    return [] if architecture["known_limit"] else _telling(architecture)


def _telling(architecture: Architecture) -> list[str]:
    return [
        finding["code"]
        for finding in architecture["details"]
        if finding["code"] not in _USUAL and finding["severity"] != "info"
    ]


def run_survey(*, multimodal: bool) -> dict[str, Any]:
    """The survey's document.

    Raises:
        RuntimeError: A bug in padcheck, or a wrong command line.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "survey.json"
        command = [sys.executable, "-m", "padcheck", "survey", "--format", "json", "--output", str(path)]
        done = subprocess.run([*command, *(["--multimodal"] if multimodal else [])], check=False)
        if done.returncode not in (0, 1, 3):
            raise RuntimeError(f"padcheck survey ended with {done.returncode}")
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return document


def run_script(script: Path) -> Shown:
    """A fault's script, in a process of its own."""
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, env=os.environ | {"COLUMNS": "110"}
    )
    docstring = script.read_text(encoding="utf-8").split('"""')[1]
    title, _, text = docstring.strip().partition("\n\n")
    return Shown(script, title.rstrip("."), " ".join(text.split()), done.stdout)


def blocks(document: dict[str, Any], shown: list[Shown], causal: list[Architecture]) -> dict[str, str]:
    """What docs/compatibility.md holds that was measured, by the name in its markers."""
    versions = document["environment"]
    today = dt.datetime.now(tz=dt.timezone.utc).date().isoformat()
    other = [each for each in document["architectures"] if each not in causal]
    return {
        "versions": f"transformers {versions['transformers']}, torch {versions['torch']}, "
        f"padcheck {versions['padcheck']}, {today}.",
        "sums": sums(split(causal)[0]),
        "causal": rows(split(causal)[0]),
        "causal, not judged": reasons(split(causal)[1]),
        "faults": "\n\n".join(map(fault, shown)),
        "multimodal": rows(split(other)[0]),
        "multimodal, not judged": reasons(split(other)[1]),
    }


def reasons(architectures: list[Architecture]) -> str:
    """Why some are not judged."""
    return table(("model type", "why not"), [(each["model_type"], each["reason"]) for each in architectures])


def fault(shown: Shown) -> str:
    """A script, what it says of the fault, and what it printed."""
    name = shown.script.name
    return f"### [{name}](faults/{name})\n\n{shown.title}. {shown.text}\n\n```text\n{shown.output.rstrip()}\n```"


def split(architectures: list[Architecture]) -> tuple[list[Architecture], list[Architecture]]:
    """Judged and not judged."""
    judged = [each for each in architectures if each["status"] == "judged"]
    return judged, [each for each in architectures if each["status"] != "judged"]


def rows(architectures: list[Architecture]) -> str:
    """The table, one row a model type."""
    told, tested = notes(), upstream()
    headings = (
        *("model type", "positions", "generate left", "generate right", "score left", "score right", "forward left"),
        *("cache right", "no mask", "findings", "upstream", "what is behind it"),
    )
    found = []
    for each in architectures:
        model_type = each["model_type"]
        note = told.get(model_type)
        script = f" [Script](faults/{note.script})." if note and note.script else ""
        limit = f"Known limit: {each['known_limit']}. " if each["known_limit"] else ""
        said = tested.get(model_type, {})
        why = f": {said['reason']}" if "reason" in said else ""
        found.append(
            (
                model_type,
                each["position_encoding"],
                _cell(each, "left_generate"),
                _cell(each, "right_generate"),
                _scored_left(each),
                _cell(each, "right_score"),
                _cell(each, "left_forward_no_position_ids"),
                _cell(each, "right_continue"),
                _cell(each, "left_no_mask", ok="same"),
                " ".join(_telling(each)),
                f"{said['status']}{why}" if said else "",
                f"{limit}{explanation(each, said, note)}{script}".strip(),
            )
        )
    return table(headings, found)


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
    """How many are right, by what is done with them."""
    asked = {
        "generating, padded on the left": lambda each: is_ok(each, "left_generate"),
        "generating, padded on the right": lambda each: is_ok(each, "right_generate"),
        "scoring, padded on the right": lambda each: is_ok(each, "right_score"),
        "scoring, padded on the left": lambda each: _scored_left(each) == "ok",
        "scoring, padded on the left, without position_ids": lambda each: is_ok(each, "left_forward_no_position_ids"),
        "going on from the cache of a right-padded prompt": lambda each: is_ok(each, "right_continue"),
        "without attention_mask": lambda each: is_ok(each, "left_no_mask"),
    }
    counts = [(what, sum(map(right, judged))) for what, right in asked.items()]
    return table(
        (f"{len(judged)} architectures", "right", "wrong, or not possible"),
        [(what, str(count), str(len(judged) - count)) for what, count in counts],
    )


def summary(document: dict[str, Any], judged: list[Architecture]) -> str:
    """The README's block."""
    wrong = [each["model_type"] for each in judged if not is_ok(each, "left_generate")]
    return "\n\n".join(
        (
            f"Of transformers {document['environment']['transformers']}, by `make survey`:",
            sums(judged),
            f"Wrong when left-padded for generating: {', '.join(wrong)}.",
            _MORE,
        )
    )


def main() -> int:
    """Runs the survey; the page and the README are written only where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write docs/compatibility.md and the README's block")
    arguments = parser.parse_args()
    document = run_survey(multimodal=arguments.write)
    causal = [each for each in document["architectures"] if each["model_type"] in causal_model_types()]
    if missing := sorted({each["model_type"] for each in causal} - upstream().keys()):
        raise ValueError(f"docs/upstream.json has no word on {', '.join(missing)}")
    judged, _ = split(causal)
    shown = [run_script(script) for script in sorted(FAULTS.glob("*.py"))]
    page = PAGE.read_text(encoding="utf-8")
    for name, block in blocks(document, shown, causal).items():
        page = replace_block(page, name, block)
    print(sums(judged))
    if arguments.write:
        PAGE.write_text(page, encoding="utf-8")
        text = replace_block(README.read_text(encoding="utf-8"), "survey", summary(document, judged))
        README.write_text(text, encoding="utf-8")
    return int(len(judged) < NEEDED)


if __name__ == "__main__":
    sys.exit(main())
