"""Two models with real weights, clean and with planted faults: `make real`.

Both must pass in every dtype; in bfloat16, and SmolLM2 in float32 too, also as a classifier with a random head, as an
embedder, when they score choices, and in a training step. Every fault of `real_faults.py`, planted into SmolLM2, must
be found, with its cause and its place. Ends with 1 if padcheck is wrong about one of them, or if the weights cannot be
downloaded.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: one thread in each process

import argparse
import itertools
import multiprocessing
import sys
import time
from typing import NamedTuple

import torch
from readme import MEASUREMENTS, table, write_block
from real_faults import DTYPES, FAULTS
from real_models import GEMMA3, SMOLLM2, FetchError, build, fetch, tokenizer
from transformers import PreTrainedModel, PreTrainedTokenizerBase

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
"""The first prompt gets pads, and so do others."""

_ALARMS = {
    *("PAD201", "PAD204", "PAD205", "PAD206", "PAD208"),
    *("PAD301", "PAD302", "PAD303", "PAD304", "PAD305", "PAD402", "PAD404"),
}
"""Codes that say a model is wrong. The others are about the tokenizer, or about what no model can do."""


_ALARMS_OF_TASKS = {
    *("PAD405", "PAD407", "PAD408", "PAD409", "PAD411", "PAD412", "PAD431", "PAD432", "PAD433"),
    *("PAD441", "PAD442", "PAD443", "PAD444", "PAD446"),
}
_TASKS = ("classify", "embed", "score", "train")
_DTYPES_OF_TASKS = {SMOLLM2.name: ("float32", "bfloat16"), GEMMA3.name: ("bfloat16",)}
"""Gemma 3 takes a minute for each."""
_CHOICES = (
    (" 365 days", " week"),
    (" Paris.", " the Louvre"),
    (" space.", " front of it"),
    (" four", " ten"),
)
"""Of `_PROMPTS_OF_FAULTS`."""

_OVERFLOWS = (GEMMA3.name, "float16")
"""Its activations exceed 65504 in the eighth layer, even for a prompt alone: the NaN in its logits is real."""


_HEADING = "SmolLM2-135M and Gemma 3 270M with their real weights, and SmolLM2 with planted faults (`make real`):"
_NAMED = ("found", "cause", "place")


class Job(NamedTuple):
    """One run: a model, with a fault or without, in one dtype; for a task, or generating."""

    model: str
    dtype: str
    fault: int | None = None
    task: str | None = None


class Outcome(NamedTuple):
    """What padcheck reported, and how that differs from what it should report."""

    job: Job
    name: str
    clean: bool
    found: bool
    cause: bool | None
    place: bool | None
    difference: float | None
    details: str
    problems: tuple[str, ...]
    seconds: float = 0.0


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _jobs(only: str, dtypes: list[str]) -> list[list[Job]]:
    """Lists of jobs, one list for each process: first all jobs of the model that is slow to load, then single jobs.

    Unless dtypes are chosen, a fault that moves logits far runs in one dtype, and successive faults use different
    dtypes. A faint fault runs in float32 and in bfloat16, where rounding hides most. A fault that exists only in 16 bit
    runs in both 16-bit dtypes.
    """
    every = [_name(dtype) for dtype in DTYPES]
    slow, quick = (
        [Job(real.name, dtype) for dtype in dtypes or every if only in f"{real.name}, clean"]
        for real in (GEMMA3, SMOLLM2)
    )
    for jobs, real in ((slow, GEMMA3), (quick, SMOLLM2)):
        jobs += [
            Job(real.name, dtype, task=task)
            for task in _TASKS
            for dtype in _DTYPES_OF_TASKS[real.name]
            if dtype in (dtypes or every) and only in f"{real.name}, {task}"
        ]
    turns = itertools.cycle(every)
    for number, fault in enumerate(FAULTS):
        usual = [_name(dtype) for dtype in fault.dtypes[:2]] if fault.faint else [next(turns)]
        if only in fault.name:
            quick += [Job(SMOLLM2.name, dtype, number) for dtype in dtypes or usual]
    return [jobs for jobs in (slow, *([job] for job in quick)) if jobs]


def _run_all(jobs: list[Job]) -> list[Outcome]:
    return [_run(job) for job in jobs]


def _run(job: Job) -> Outcome:
    began = time.perf_counter()
    if job.fault is not None:
        outcome = _planted(job)
    elif job.task is not None:
        outcome = _clean_task(job)
    elif job[:2] == _OVERFLOWS:
        outcome = _overflowing(job)
    else:
        outcome = _clean(job)
    return outcome._replace(seconds=time.perf_counter() - began)


def _model(job: Job) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    real = next(real for real in (SMOLLM2, GEMMA3) if real.name == job.model)
    return build(real, getattr(torch, job.dtype), job.task), tokenizer(real)


def _clean(job: Job) -> Outcome:
    report = padcheck.compare(*_model(job), _PROMPTS, max_new_tokens=20)
    problems = _alarms(report)
    if (job.model, job.dtype) == (SMOLLM2.name, "float32"):
        problems += _not_paris(report)
    return _outcome(job, f"{job.model}, clean", report, clean=True, problems=problems)


def _clean_task(job: Job) -> Outcome:
    choices = {"choices": _CHOICES} if job.task == "score" else {}
    report = padcheck.compare(*_model(job), _PROMPTS_OF_FAULTS, max_new_tokens=6, task=job.task, **choices)
    return _outcome(job, f"{job.model}, {job.task}", report, clean=True, problems=_alarms(report))


def _overflowing(job: Job) -> Outcome:
    report = padcheck.compare(*_model(job), _PROMPTS_OF_FAULTS, max_new_tokens=6)
    codes = _codes(report)
    problems = [] if codes == {"PAD204"} else [f"only PAD204 is right, and not {' '.join(sorted(codes))}"]
    return _outcome(job, f"{job.model}, overflow", report, cause="PAD204" in codes, problems=problems)


def _codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings} & (_ALARMS | _ALARMS_OF_TASKS)


def _alarms(report: Report) -> list[str]:
    codes = sorted(_codes(report))
    return [] if report.status == "pass" and not codes else [f"alarm: {report.status}, {' '.join(codes)}"]


def _not_paris(report: Report) -> list[str]:
    index = _PROMPTS.index(_CAPITAL)
    texts = {
        run: next(row.new_text for row in report.evidence.runs[run].rows if row.prompt_index == index)
        for run in ("single", "left")
    }
    return [f"{run}: {_CAPITAL!r} continues with {text!r}" for run, text in texts.items() if "Paris" not in text]


def _planted(job: Job) -> Outcome:
    fault = FAULTS[job.fault]
    model, words = _model(job)
    fault.plant(model)
    # A fault that exists only in 16 bit is found by statistics, which need more prompts.
    prompts = _PROMPTS_OF_FAULTS if torch.float32 in fault.dtypes else _PROMPTS
    report = padcheck.compare(model, words, prompts, max_new_tokens=fault.max_new_tokens)
    if model.dtype not in fault.dtypes:
        return _outcome(job, f"no effect: {fault.name}", report, clean=True, problems=_alarms(report))
    cause = None if fault.cause is None else fault.cause in _codes(report)
    places = {place.module for place in report.evidence.places.values()}
    place = None if fault.place is None else fault.place in places
    problems = [] if report.status == "fail" else ["missed"]
    problems += [f"cause {fault.cause} not named"] if cause is False else []
    problems += [f"place {fault.place} not named"] if place is False else []
    return _outcome(job, fault.name, report, cause=cause, place=place, problems=problems)


def _outcome(
    job: Job,
    name: str,
    report: Report,
    *,
    clean: bool = False,
    cause: bool | None = None,
    place: bool | None = None,
    problems: list[str],
) -> Outcome:
    steps = [
        step.max_abs_diff
        for run in ("left", "right_forward")
        for row in report.evidence.differences.get(run, ())
        for step in row.steps
        if step.max_abs_diff is not None
    ]
    of_task = [report.task_comparisons[run].max_abs_diff for run in ("left", "right") if report.task_comparisons]
    steps += [far for far in of_task if far is not None]
    places = sorted({str(place) for place in report.evidence.places.values()})
    details = " ".join([report.status, *sorted(_codes(report)), *places])
    far = max(steps, default=None)
    return Outcome(job, name, clean, report.status == "fail", cause, place, far, details, tuple(problems))


def _shown(outcome: Outcome) -> tuple[str, ...]:
    def said(value: bool | None) -> str:
        return "-" if value is None else "yes" if value else "NO"

    found = ("ALARM" if outcome.problems else "no") if outcome.clean else said(outcome.found)
    far = "-" if outcome.difference is None else f"{outcome.difference:.2g}"
    ends = (said(outcome.cause), said(outcome.place), far, f"{outcome.seconds:.0f}")
    return (outcome.name, outcome.job.dtype, found, *ends, outcome.details)


def _counted(outcomes: list[Outcome]) -> str:
    """The table for the page."""
    rows = []
    for dtype in map(_name, DTYPES):
        of_dtype = [outcome for outcome in outcomes if outcome.job.dtype == dtype]
        clean = [bool(outcome.problems) for outcome in of_dtype if outcome.clean]
        faults = [outcome for outcome in of_dtype if not outcome.clean]
        named = ([answer for outcome in faults if (answer := getattr(outcome, what)) is not None] for what in _NAMED)
        counts = (f"{sum(answers)} of {len(answers)}" for answers in (clean, *named))
        rows.append((dtype, *counts))
    return table(("real weights in", "false alarms", "faults found", "cause named", "module named"), rows)


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the counts into docs/measurements.md")
    parser.add_argument("--only", default="", metavar="TEXT", help="only runs with this text in their name")
    parser.add_argument(
        "--dtype",
        action="append",
        choices=[_name(dtype) for dtype in DTYPES],
        default=[],
        help="run every fault in this dtype",
    )
    parser.add_argument("--processes", type=int, default=multiprocessing.cpu_count())
    arguments = parser.parse_args()
    if arguments.write and (arguments.only or arguments.dtype):
        parser.error("--write needs all runs: leave out --only and --dtype")
    return arguments


def _say(text: str, **options: object) -> None:
    print(text, flush=True, **options)


def main() -> int:
    """Prints each run when it ends, and writes the page if asked to."""
    arguments = _parsed()
    jobs = _jobs(arguments.only, arguments.dtype)
    try:
        for real in (SMOLLM2, GEMMA3):
            if any(real.name == each[0].model for each in jobs):
                fetch(real)
    except FetchError as error:
        _say(str(error), file=sys.stderr)
        return 1
    headings = ("run", "dtype", "found", "cause", "place", "largest difference", "seconds", "findings and places")
    _say(table(headings, []))
    outcomes = []
    with multiprocessing.get_context("spawn").Pool(arguments.processes) as pool:
        for found in pool.imap_unordered(_run_all, jobs):
            _say("\n".join(f"| {' | '.join(_shown(outcome))} |" for outcome in found))
            outcomes += found
        pool.close()
        pool.join()
    text = f"{_HEADING}\n\n{_counted(outcomes)}"
    _say(f"\n{text}")
    for outcome in outcomes:
        for problem in outcome.problems:
            _say(f"{outcome.name}, {outcome.job.dtype}: {problem}", file=sys.stderr)
    if arguments.write:
        write_block(MEASUREMENTS, "real", text)
    return int(any(outcome.problems for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
