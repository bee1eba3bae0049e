"""How often padcheck is right: `make accuracy` runs every cell of both tables of docs/measurements.md.

False alarms: models without a fault, of every family of the zoo, in three dtypes, with eager and sdpa, in batches of 2
to 16 with 1 to 64 pads. Each cell has its own weights and prompts; depth and weight size vary from cell to cell.
Detection: every planted fault in three dtypes, on several sets of prompts. Ends with 1 after a false alarm or a missed
fault.
"""

import argparse
import itertools
import multiprocessing
import random
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

import torch
from readme import MEASUREMENTS, table, write_block
from transformers import PreTrainedModel
from zoo import FAMILIES, FAULTS, compare
from zoo.comparing import Encoded
from zoo.families import BOS, VOCAB_SIZE
from zoo.planting import DTYPES

from padcheck.core.report import Report

_ATTENTION = ("eager", "sdpa")
_BATCHES = ((2, 1), (2, 33), (4, 64), (6, 8), (9, 33), (16, 16))
"""Number of prompts, and pad count of the shortest."""
_DEPTHS = (2, 8)
_STDS = (0.3, 0.05)
_SHORTEST = 3
_PROMPT_SETS = 3

_ALARMS = {
    *("PAD201", "PAD204", "PAD205", "PAD206", "PAD207", "PAD208"),
    *("PAD301", "PAD302", "PAD303", "PAD304", "PAD305", "PAD402"),
}
"""Codes that say a model is wrong. The others are about the tokenizer, or about what no model can do."""


class Cell(NamedTuple):
    """One clean model in one setting."""

    family: str
    dtype: torch.dtype
    attention: str
    batch_size: int
    num_pads: int
    seed: int


class Trial(NamedTuple):
    """One planted fault on one set of prompts."""

    fault: int
    dtype: torch.dtype
    seed: int


class Outcome(NamedTuple):
    """The result of one cell or trial: its column in the table, its status, and the codes that it found."""

    column: str
    status: str
    codes: frozenset[str]
    right: bool = True


def cells() -> Iterator[Cell]:
    """Every cell of the false-alarm table."""
    settings = itertools.product(FAMILIES, DTYPES, _ATTENTION, _BATCHES)
    for seed, (family, dtype, attention, (batch_size, num_pads)) in enumerate(settings):
        yield Cell(family, dtype, attention, batch_size, num_pads, seed)


def trials() -> Iterator[Trial]:
    """Every run of the detection table. A fault with its own prompts runs only on these."""
    for number, fault in enumerate(FAULTS):
        prompt_sets = 1 if "encoded" in fault.settings else _PROMPT_SETS
        yield from (Trial(number, *each) for each in itertools.product(DTYPES, range(prompt_sets)))


def run_cell(cell: Cell, device: str) -> Outcome | None:
    """The outcome; None if the family does not have this attention implementation."""
    try:
        model = _built(cell)
    except ValueError:
        return None
    if model.config._attn_implementation != cell.attention:
        return None
    report = compare(model.to(device), _prompts(cell.seed, cell.batch_size, cell.num_pads), max_new_tokens=2)
    return _outcome(f"{_name(cell.dtype)}, {cell.attention}", report)


def run_trial(trial: Trial, device: str) -> Outcome:
    """The outcome; it is right if the code that names the cause is among the findings."""
    fault = FAULTS[trial.fault]
    settings = {"encoded": _prompts(trial.seed, 4, 12), "max_new_tokens": 3} | fault.settings
    report = compare(fault.build(trial.dtype).to(device), **settings)
    outcome = _outcome(_name(trial.dtype), report)
    if trial.dtype not in fault.dtypes:
        return outcome._replace(status="silent", right=not outcome.codes & _ALARMS)
    named = {fault.cause, fault.drowns_in.get(trial.dtype)} - {None}
    return outcome._replace(right=not named or bool(outcome.codes & named))


def _built(cell: Cell) -> PreTrainedModel:
    """The cell's model: shallow or deep, with large or small weights, in turn."""
    depth, std = _DEPTHS[cell.seed % 2], _STDS[cell.seed // 2 % 2]
    settings = {"seed": cell.seed, "std": std, "attn_implementation": cell.attention}
    model: PreTrainedModel = FAMILIES[cell.family](cell.dtype, num_layers=depth, **settings)
    return model


def _prompts(seed: int, batch_size: int, num_pads: int) -> Encoded:
    """Random ids. One prompt gets `num_pads` pads, one gets none, and the others lie between."""
    draw = random.Random(seed)
    lengths = [_SHORTEST, _SHORTEST + num_pads]
    lengths += [draw.randint(_SHORTEST, _SHORTEST + num_pads) for _ in range(batch_size - 2)]
    draw.shuffle(lengths)
    return tuple((BOS, *(draw.randrange(4, VOCAB_SIZE) for _ in range(length - 1))) for length in lengths)


def _outcome(column: str, report: Report) -> Outcome:
    return Outcome(column, report.status, frozenset(finding.code for finding in report.findings))


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _run_all(function: object, settings: Iterable[NamedTuple], processes: int) -> list[tuple[NamedTuple, Outcome]]:
    settings = list(settings)
    with multiprocessing.get_context("spawn").Pool(processes, initializer=_quiet) as pool:
        outcomes = []
        for setting, outcome in zip(settings, pool.imap(function, settings, chunksize=4), strict=True):
            outcomes.append((setting, outcome))
            if len(outcomes) % 100 == 0:
                print(f"{len(outcomes)} of {len(settings)}", file=sys.stderr, flush=True)
    return [(setting, outcome) for setting, outcome in outcomes if outcome is not None]


def _quiet() -> None:
    torch.set_num_threads(1)


def false_alarms(outcomes: list[tuple[Cell, Outcome]]) -> tuple[str, int]:
    """The table, and the number of false alarms."""
    ran, alarms, unmeasured = Counter[str](), Counter[str](), Counter[str]()
    for cell, outcome in outcomes:
        alarm = outcome.status == "fail" or bool(outcome.codes & _ALARMS)
        ran[outcome.column] += 1
        alarms[outcome.column] += alarm
        unmeasured[outcome.column] += outcome.status == "not_measured"
        if alarm or outcome.status == "not_measured":
            print(outcome.status, *cell, *sorted(outcome.codes), file=sys.stderr)
    rows = [(column, str(ran[column]), _rate(alarms[column], ran[column]), str(unmeasured[column])) for column in ran]
    headings = ("clean models in", "runs", "false alarms", "not measured")
    return table(headings, rows), alarms.total()


def detection(outcomes: list[tuple[Trial, Outcome]]) -> tuple[str, int]:
    """The table, and the number of missed faults."""
    ran, found, named = Counter[str](), Counter[str](), Counter[str]()
    missed = 0
    for trial, outcome in outcomes:
        fault = FAULTS[trial.fault]
        if outcome.status == "silent":
            missed += not outcome.right
            continue
        ran[outcome.column] += 1
        seen = outcome.status == "fail" or (fault.is_silent(trial.dtype) and outcome.right)
        found[outcome.column] += seen
        named[outcome.column] += outcome.right
        missed += not seen
        if not (seen and outcome.right):
            print("missed:", fault.name, *trial, *sorted(outcome.codes), file=sys.stderr)
    rows = [
        (column, str(ran[column]), _rate(found[column], ran[column]), _rate(named[column], ran[column]))
        for column in ran
    ]
    return table(("planted faults in", "runs", "found", "cause named"), rows), missed


def _rate(count: int, of: int) -> str:
    return f"{count} ({100 * count / of:.3g} %)"


def main() -> int:
    """Runs both tables, and writes them into the page if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the tables into docs/measurements.md")
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--device", default="cpu", help="run every model there, such as cuda")
    arguments = parser.parse_args()
    alarms_table, alarms = false_alarms(
        _run_all(partial(run_cell, device=arguments.device), cells(), arguments.processes)
    )
    detection_table, missed = detection(
        _run_all(partial(run_trial, device=arguments.device), trials(), arguments.processes)
    )
    text = f"{alarms_table}\n\n{detection_table}"
    print(text)
    if arguments.write:
        write_block(MEASUREMENTS, "accuracy", text)
    return int(bool(alarms or missed))


if __name__ == "__main__":
    sys.exit(main())
