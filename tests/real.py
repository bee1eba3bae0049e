"""Two models with real weights, clean and with planted faults: `make real`.

Both must pass in every dtype, and every fault of `real_faults.py`, planted over SmolLM2's weights, must be found, with
its cause and its place. Ends with 1 where padcheck is wrong about one of them, or the weights cannot be downloaded.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: one thread in each process

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import torch
from readme import README, replace_block, table
from real_faults import DTYPES, FAULTS
from real_models import GEMMA3, SMOLLM2, FetchError, RealModel, build, fetch, tokenizer

import padcheck
from padcheck.api import Report

_CAPITAL = "The capital of France is"
_PROMPTS = (
    _CAPITAL,
    "Two plus two is",
    "Water freezes at zero degrees and boils at",
    "The Earth goes around the Sun once in",
    "The opposite of hot is",
    "The days of the week are Monday, Tuesday, Wednesday, Thursday,",
    "In July 1969 two astronauts walked on the Moon for the first time, while a third one waited for them in orbit and",
    "A triangle has three sides, a square has four sides, and a pentagon has",
)
_PROMPTS_OF_FAULTS = tuple(_PROMPTS[number] for number in (3, 0, 7, 1))
"""The first has pads and is not the only one that has them."""

_ALARMS = {
    *("PAD201", "PAD204", "PAD205", "PAD206", "PAD208"),
    *("PAD301", "PAD302", "PAD303", "PAD304", "PAD305", "PAD402", "PAD404"),
}
"""Codes that say a model is wrong. The others speak of the tokenizer, or of what no model can do."""


class Job(NamedTuple):
    """One run: a model, with a fault or without, in one dtype."""

    model: str
    dtype: str
    fault: int | None = None


class Outcome(NamedTuple):
    """What padcheck said, and whether that is right."""

    job: Job
    name: str
    clean: bool
    found: bool
    cause: bool | None
    place: bool | None
    difference: float | None
    seconds: float
    details: str
    problems: tuple[str, ...]


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _jobs(only: str, dtypes: list[str]) -> Iterator[Job]:
    """The slow model first, so that no process ends long before the others.

    Unless dtypes are chosen, a fault runs in float32 and in one of the 16-bit dtypes, which take turns; a faint one, which
    16 bit hides best where it rounds most, in bfloat16. What only 16 bit has runs in both.
    """
    every = [_name(dtype) for dtype in DTYPES]
    for model in (GEMMA3, SMOLLM2):
        if only in f"{model.name}, clean":
            yield from (Job(model.name, dtype) for dtype in dtypes or every)
    for number, fault in enumerate(FAULTS):
        half = "bfloat16" if fault.faint or number % 2 == 0 else "float16"
        usual = ["float32", half] if torch.float32 in fault.dtypes else ["bfloat16", "float16"]
        if only in fault.name:
            yield from (Job(SMOLLM2.name, dtype, number) for dtype in dtypes or usual)


def _run(job: Job) -> Outcome:
    real = next(real for real in (SMOLLM2, GEMMA3) if real.name == job.model)
    began = time.perf_counter()
    outcome = _clean(real, job) if job.fault is None else _planted(job)
    return outcome._replace(seconds=time.perf_counter() - began)


def _clean(real: RealModel, job: Job) -> Outcome:
    report = padcheck.compare(
        build(real, getattr(torch, job.dtype)), tokenizer(real), list(_PROMPTS), max_new_tokens=20
    )
    problems = _alarms(report)
    if real is SMOLLM2 and job.dtype == "float32":
        problems += _not_paris(report)
    return _outcome(job, f"{real.name}, clean", report, problems=tuple(problems))


def _alarms(report: Report) -> list[str]:
    codes = sorted({finding.code for finding in report.findings} & _ALARMS)
    if report.status == "pass" and not codes:
        return []
    return [f"alarm on a clean model: {report.status}, {' '.join(codes)}"]


def _not_paris(report: Report) -> list[str]:
    index = _PROMPTS.index(_CAPITAL)
    texts = {
        arm: next(row.new_text for row in report.evidence.arms[arm].rows if row.prompt_index == index)
        for arm in ("single", "left")
    }
    return [f"{arm}: {_CAPITAL!r} goes on with {text!r}" for arm, text in texts.items() if "Paris" not in text]


def _planted(job: Job) -> Outcome:
    fault = FAULTS[job.fault]
    model = build(SMOLLM2, getattr(torch, job.dtype))
    fault.plant(model)
    prompts = list(_PROMPTS_OF_FAULTS if torch.float32 in fault.dtypes else _PROMPTS)
    report = padcheck.compare(model, tokenizer(SMOLLM2), prompts, max_new_tokens=fault.max_new_tokens)
    if model.dtype not in fault.dtypes:
        return _outcome(job, fault.name, report, problems=tuple(_alarms(report)))
    found = report.status == "fail"
    codes = {finding.code for finding in report.findings}
    cause = None if fault.cause is None else fault.cause in codes
    places = report.evidence.places.values()
    place = None if fault.place is None else any(place.module == fault.place for place in places)
    problems = [] if found else ["missed"]
    problems += [f"cause {fault.cause} not named"] if cause is False else []
    problems += [f"place {fault.place} not named"] if place is False else []
    return _outcome(job, fault.name, report, clean=False, cause=cause, place=place, problems=tuple(problems))


def _outcome(
    job: Job,
    name: str,
    report: Report,
    *,
    clean: bool = True,
    cause: bool | None = None,
    place: bool | None = None,
    problems: tuple[str, ...],
) -> Outcome:
    steps = [
        step.max_abs_diff
        for arm in ("left", "right_forward")
        for row in report.evidence.differences.get(arm, ())
        for step in row.steps
        if step.max_abs_diff is not None
    ]
    codes = sorted({finding.code for finding in report.findings} & _ALARMS)
    places = {str(place) for place in report.evidence.places.values()}
    details = f"{report.status} {' '.join(codes)}; {', '.join(sorted(places))}"
    return Outcome(
        job, name, clean, report.status == "fail", cause, place, max(steps, default=None), 0.0, details, problems
    )


def _shown(outcome: Outcome) -> tuple[str, ...]:
    def said(value: bool | None) -> str:
        return "-" if value is None else "yes" if value else "NO"

    found = ("ALARM" if outcome.problems else "no") if outcome.clean else said(outcome.found)
    far = "-" if outcome.difference is None else f"{outcome.difference:.2g}"
    ends = (said(outcome.cause), said(outcome.place), far, f"{outcome.seconds:.0f}")
    return (outcome.name, outcome.job.dtype, found, *ends, outcome.details)


def _counted(outcomes: list[Outcome]) -> str:
    """The table for the README."""
    rows = []
    for dtype in dict.fromkeys(outcome.job.dtype for outcome in outcomes):
        of_dtype = [outcome for outcome in outcomes if outcome.job.dtype == dtype]
        clean = [outcome for outcome in of_dtype if outcome.clean]
        faults = [outcome for outcome in of_dtype if not outcome.clean]
        counts = Counter(alarms=sum(bool(outcome.problems) for outcome in clean))
        for said in ("found", "cause", "place"):
            expected = [value for outcome in faults if (value := getattr(outcome, said)) is not None]
            counts[said], counts[f"all {said}"] = sum(expected), len(expected)
        rows.append(
            (
                dtype,
                f"{counts['alarms']} of {len(clean)}",
                *(f"{counts[said]} of {counts[f'all {said}']}" for said in ("found", "cause", "place")),
            )
        )
    return table(("real weights in", "false alarms", "faults found", "cause named", "module named"), rows)


def main() -> int:
    """Runs all of it; the README is written only where that is asked for, and only by a whole run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the counts into the README")
    parser.add_argument("--only", default="", metavar="TEXT", help="the runs with this text in their name")
    parser.add_argument("--dtype", action="append", choices=[_name(dtype) for dtype in DTYPES])
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    arguments = parser.parse_args()
    if arguments.write and (arguments.only or arguments.dtype):
        parser.error("--write takes all runs: leave out --only and --dtype")
    jobs = list(_jobs(arguments.only, arguments.dtype or []))
    try:
        for real in (SMOLLM2, GEMMA3):
            if any(job.model == real.name for job in jobs):
                fetch(real)
    except FetchError as error:
        print(error, file=sys.stderr)
        return 1
    headings = ("run", "dtype", "found", "cause", "place", "largest difference", "seconds", "findings and places")
    print(table(headings, []), flush=True)
    outcomes = []
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        for outcome in pool.imap(_run, jobs, chunksize=1):
            print(f"| {' | '.join(_shown(outcome))} |", flush=True)
            outcomes.append(outcome)
    text = _counted(outcomes)
    print(f"\n{text}")
    for outcome in outcomes:
        for problem in outcome.problems:
            print(f"{outcome.name}, {outcome.job.dtype}: {problem}", file=sys.stderr)
    if arguments.write:
        README.write_text(replace_block(README.read_text(encoding="utf-8"), "real", text), encoding="utf-8")
    return int(any(outcome.problems for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
