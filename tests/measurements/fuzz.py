"""Feeds broken files to the command line: `make fuzz`.

Each case changes a document, the folder of a model, or a configuration at random, and runs a command on it in this
process. The number of a case decides everything about it, so `--case 17` repeats one and keeps its files.

- The exit code is 0, 1, 2 or 3.
- No stream has a character that acts on a terminal. The formats for pipelines can be parsed, and exit code 2 has none.
- A document that fails does not pass, whatever is removed from it.
"""

import argparse
import gc
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "COLUMNS": "100"}

import psutil
from command_lines import run
from documents import DOCUMENTS, EVERYTHING
from mutations import HOSTILE, mutated

from padcheck.core.json_io import dump
from padcheck.core.version import __version__
from padcheck.demo import MODEL_FOLDER
from padcheck.hf.library.native_output import native_prints
from padcheck.reporters import Format

_MEMORY = 4 * 2**30
"""Bytes of address space. A fault may ask for all of it, and must not take the machine."""

_SECONDS_OF_A_CASE = 60
_MOST_FAILURES = 10

_PARSERS: dict[str, Callable[[str], object]] = {
    "json": json.loads,
    "sarif": json.loads,
    "svg": ET.fromstring,
    "junit": ET.fromstring,
}
_SAVED = {
    name: json.loads(dump(document).replace('"padcheck": "0.0"', f'"padcheck": "{__version__}"'))
    for name, document in {**DOCUMENTS, "everything": EVERYTHING}.items()
}
_BASELINE = {"schema_version": 1, "findings": [{"model": "nope", "code": "PAD201", "severity": "error"}]}
_CONFIGURATION = {
    "models": ["nope", "other"],
    "prompts": ["one two three", "one"],
    "chat": False,
    "do-sample": True,
    "temperature": 0.5,
    "top-k": 5,
    "seed": 1,
    "dtype": "float32",
    "device": "cpu",
    "revision": "main",
    "tokenizer": "nope",
    "pad-token": "x",
    "batch-size": 4,
    "atol": 0.5,
    "select": ["PAD2", "PAD4"],
    "ignore": {"PAD106": "why"},
    "fail-on": "warning",
    "task": "generate",
    "padding-side": "left",
    "report": {"json": "out.json", "junit": "out.xml"},
    "baseline": "known.json",
    "prompts-file": "prompts.txt",
    "model": {"other": {"dtype": "bfloat16", "rtol": 0.1}},
}


class BrokenPromiseError(Exception):
    """A case in which a promise was broken."""


def a_document(chance: random.Random) -> None:
    """Renders a changed report, check or survey in any format."""
    name, fmt = chance.choice(list(_SAVED)), chance.choice(list(Format)).value
    before, changed = _SAVED[name], mutated(_SAVED[name], chance)
    keeps_verdict = before["exit_code"] != 0 and chance.random() < 0.7
    options = ["--verbose"] if chance.random() < 0.3 else []
    if keeps_verdict:
        _keep_verdict(before, changed)
    else:
        options += chance.choice(([], ["--atol", "1e30"], ["--rtol", "0"], ["--task", "score"], ["--ignore", "PAD2"]))
    text = json.dumps(changed)
    if chance.random() < 0.1:
        text = _torn(text, chance)
    Path("document.json").write_text(text, encoding="utf-8")
    outcome = _require_promised(["render", "document.json", "--format", fmt, *options], fmt)
    if keeps_verdict and outcome["exit_code"] == 0:
        raise BrokenPromiseError("a document that fails has passed")


def _keep_verdict(before: Any, changed: Any) -> None:
    """Puts back what says that a document failed, and in which version. Without it a file may well pass."""
    for key in ("command", "status", "exit_code", "environment", "judgement"):
        if key in before and isinstance(changed, dict):
            changed[key] = before[key]
    if isinstance(changed, dict) and isinstance(reports := changed.get("reports"), list):
        [environment] = {json.dumps(each["environment"]) for each in before["reports"] if "environment" in each}
        for each in reports:
            if isinstance(each, dict) and "environment" in each:
                each["environment"] = json.loads(environment)


def _torn(text: str, chance: random.Random) -> str:
    """The text with a piece cut out, or something in place of it."""
    start = chance.randrange(len(text))
    end = start + chance.choice((1, 1, 10, 1000))
    return text[:start] + chance.choice(("", "\0", '"', "]", HOSTILE, "[" * 2000)) + text[end:]


def a_baseline(chance: random.Random) -> None:
    """Reads a changed baseline."""
    Path("known.json").write_text(_torn(json.dumps(mutated(_BASELINE, chance)), chance), encoding="utf-8")
    _require_promised(["check", "nope", "--baseline", "known.json", "--format", "json"], "json")


def a_model(chance: random.Random) -> None:
    """Inspects a model whose config or tokenizer files were changed, or runs it at toy size."""
    folder = Path("model")
    shutil.copytree(MODEL_FOLDER, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    names = ("config.json", "generation_config.json", "tokenizer_config.json", "tokenizer.json")
    for name in chance.sample(names, chance.randint(1, 2)):
        changed = mutated(json.loads((folder / name).read_text(encoding="utf-8")), chance)
        (folder / name).write_text(json.dumps(changed), encoding="utf-8")
    fmt = chance.choice(list(Format)).value
    command = chance.choice((["inspect-tokenizer"], ["inspect-tokenizer", "--chat"], ["compare", "--tiny"]))
    outcome = _require_promised([*command, "model", "--max-new-tokens", "1", "--format", fmt], fmt)
    if fmt == "json" and outcome["stdout"]:
        Path("document.json").write_text(str(outcome["stdout"]), encoding="utf-8")
        again = _require_promised(["render", "document.json", "--format", "json"], "json")
        if again["exit_code"] != outcome["exit_code"]:
            raise BrokenPromiseError(f"exit code {outcome['exit_code']}, and {again['exit_code']} from the file")


def a_configuration(chance: random.Random) -> None:
    """Checks models that do not exist with a changed configuration."""
    keys = chance.sample(list(_CONFIGURATION), chance.randint(2, len(_CONFIGURATION)))
    changed = mutated({key: _CONFIGURATION[key] for key in keys}, chance)
    text = "".join(f"{json.dumps(key)} = {_toml(value)}\n" for key, value in changed.items())
    if chance.random() < 0.2:
        text = _torn(text, chance)
    Path("prompts.txt").write_text("one two\none\n", encoding="utf-8")
    Path("padcheck.toml").write_text(text, encoding="utf-8")
    fmt = chance.choice(list(Format)).value
    _require_promised(["check", "--tiny", "--max-new-tokens", "1", "--format", fmt], fmt)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return '""' if value is None else json.dumps(value)


_KINDS = ((a_document, 70), (a_baseline, 5), (a_model, 15), (a_configuration, 10))


def _require_promised(arguments: list[str], fmt: str) -> dict[str, Any]:
    """The outcome of a command.

    Raises:
        BrokenPromiseError: The exit code or a stream is not as promised.
    """
    with redirect_stdout(StringIO()) as native, native_prints():
        outcome: dict[str, Any] = run(arguments)
    gc.unfreeze()  # main() froze everything, since its process usually ends
    exit_code, stdout, stderr = outcome["exit_code"], outcome["stdout"], outcome["stderr"]
    if exit_code not in (0, 1, 2, 3):
        raise BrokenPromiseError(f"exit code {exit_code}: {stderr}")
    if native.getvalue():
        raise BrokenPromiseError(f"native code has printed {native.getvalue()!a}")
    for name, text in (("stdout", stdout), ("stderr", stderr)):
        if raw := {each for each in text if not each.isprintable() and each not in "\n\r"}:
            raise BrokenPromiseError(f"{name} has {sorted(raw)!a}")
    if stdout and exit_code == 2:
        raise BrokenPromiseError("exit code 2 with a report")
    if stdout and fmt in _PARSERS:
        try:
            _PARSERS[fmt](stdout)
        except (ValueError, ET.ParseError) as error:
            raise BrokenPromiseError(f"{fmt} cannot be parsed: {error}") from error
    return outcome


def _run_case(seed: int, number: int, folder: Path) -> str | None:
    """What is wrong in a case; None if nothing is."""
    chance = random.Random(f"{seed} {number}")
    [kind] = chance.choices([kind for kind, _ in _KINDS], [weight for _, weight in _KINDS])
    folder.mkdir()
    os.chdir(folder)
    signal.setitimer(signal.ITIMER_REAL, _SECONDS_OF_A_CASE)
    try:
        kind(chance)
    except BrokenPromiseError as failure:
        return f"{kind.__name__}: {failure}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        os.chdir(folder.parent)
    return None


def _too_long(*_: object) -> None:
    raise TimeoutError(f"the case took more than {_SECONDS_OF_A_CASE} seconds")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, help="run only this case, and keep its files")
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    signal.signal(signal.SIGALRM, _too_long)
    folder = Path(tempfile.mkdtemp(prefix="padcheck-fuzz-"))
    run_case = partial(_run_case, asked.seed)
    if asked.case is not None:
        said = run_case(asked.case, folder / "case")
        print(f"{said or 'nothing is wrong'}\nits files: {folder / 'case'}")
        return int(said is not None)
    failures, number, end = 0, 0, time.monotonic() + asked.seconds
    try:
        while failures < _MOST_FAILURES and time.monotonic() < end:
            said = run_case(number, folder / "case")
            shutil.rmtree(folder / "case")
            if said is not None:
                failures += 1
                print(f"case {number}: {said}", flush=True)
            number += 1
    finally:
        shutil.rmtree(folder)
        for child in psutil.Process().children(recursive=True):
            child.kill()
    print(f"{number} cases, {failures} failures")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
