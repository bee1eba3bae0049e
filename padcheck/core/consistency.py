"""Checks once, when a document is read, that its parts belong together. Everything after reading relies on it.

Types and ranges are checked before, by the types themselves.
"""

from collections.abc import Mapping, Sequence

import msgspec

from padcheck.core.evidence import Evidence, PadCountSweep
from padcheck.core.exit_codes import ExitCode
from padcheck.core.report import STATUS, Architecture, Check, Report, Survey, Unmeasured
from padcheck.core.run_plans import RUN_PLANS, USER_RUNS
from padcheck.core.run_report import AnyDocument, Run
from padcheck.core.run_results import Row, RowDifference, RunResult, StepDifference
from padcheck.core.task_evidence import (
    COSINE,
    GRADIENT_OFF,
    LABELS,
    LOSS,
    LOSS_NOT_SHIFTED,
    LOSS_SHIFTED_TWICE,
    TaskEvidence,
    TaskRow,
    TaskRun,
)
from padcheck.core.task_plans import IN_FLOAT32, STEP_ALONE, STEPS, TASK_PLANS, TASK_USER_RUNS
from padcheck.core.use_case import HEADS
from padcheck.core.verdicts import Comparison, RowComparison

_NO_VERDICT = (ExitCode.USAGE, ExitCode.NOT_MEASURED, ExitCode.BUG)


def require_consistent(document: AnyDocument) -> None:
    """Returns if the parts of a document belong together.

    Raises:
        msgspec.ValidationError: What is missing or wrong, and where in the JSON.
    """
    _require(STATUS[document.exit_code] == document.status, "`status` and `exit_code` contradict each other", "$")
    if isinstance(document, Report):
        _report(document, "$")
    elif isinstance(document, Check):
        _require(len(document.ways) in (0, len(document.reports)), "`ways` and `reports` do not match", "$.ways")
        for index, report in enumerate(document.reports):
            _report(report, f"$.reports[{index}]")
    elif isinstance(document, Survey):
        for index, architecture in enumerate(document.architectures):
            _architecture(architecture, f"$.architectures[{index}]")
    elif isinstance(document, Run):
        _watched(document)


def _require(claim: bool, otherwise: str, where: str) -> None:
    if not claim:
        raise msgspec.ValidationError(f"{otherwise} - at `{where}`")


def _report(report: Report | Unmeasured, where: str) -> None:
    _require(STATUS[report.exit_code] == report.status, "`status` and `exit_code` contradict each other", where)
    if isinstance(report, Unmeasured):
        _require(report.exit_code in _NO_VERDICT, "it was not measured, so it has no verdict", where)
        return
    evidence = report.evidence
    _evidence(evidence, where)
    only_task = evidence.task is not None and not evidence.runs
    if report.command == "compare":
        for run in () if only_task else USER_RUNS:
            _require(run in evidence.runs, f"the run `{run}` is missing", f"{where}.arms")
        task = report.judgement.task
        of_score = only_task and task == "score" and evidence.task is not None and evidence.task.name == task
        judged_task = task in HEADS or of_score
        has_verdict = report.exit_code not in _NO_VERDICT
        _require(judged_task == only_task or not has_verdict, "`judgement` and `task` contradict each other", where)
    _references(report.comparisons, evidence.runs, "`comparisons` and `arms` name other references", where)
    for name, comparison in report.comparisons.items():
        _prompts(comparison.rows, len(evidence.prompts), f"{where}.comparisons.{name}.rows")
    task_runs = {} if evidence.task is None else evidence.task.runs
    _references(report.task_comparisons, task_runs, "`task_comparisons` and `task` name other references", where)
    for name, comparison in report.task_comparisons.items():
        _prompts(comparison.rows, _num_texts(evidence), f"{where}.task_comparisons.{name}.rows")


def _references(
    comparisons: Mapping[str, Comparison], runs: Mapping[str, RunResult] | Mapping[str, TaskRun], what: str, where: str
) -> None:
    references = {name: run.reference for name, run in runs.items() if run.reference is not None}
    compared = {name: comparison.reference for name, comparison in comparisons.items()}
    _require(compared == references, what, where)


def _architecture(architecture: Architecture, where: str) -> None:
    codes = tuple(finding.code for finding in architecture.details)
    _require(codes == architecture.findings, "`findings` and `details` have other codes", where)
    has_verdict = architecture.exit_code not in _NO_VERDICT
    _require(has_verdict == (architecture.status == "judged"), "`status` and `exit_code` contradict each other", where)
    _require(has_verdict == bool(architecture.verdicts), "`status` and `verdicts` contradict each other", where)
    for index, variant in enumerate(architecture.variants):
        _architecture(variant, f"{where}.variants[{index}]")


def _watched(run: Run) -> None:
    _require(not run.findings or run.calls.of_a_model > 0, "there are findings, but no call of a model", "$.findings")
    places = [(finding.file, finding.line, finding.code) for finding in run.findings]
    _require(places == sorted(places), "the findings are not in the order of file, line and code", "$.findings")


def _evidence(evidence: Evidence, where: str) -> None:
    number = len(evidence.prompts)
    _require(len(evidence.num_prompt_tokens) == number, f"`num_prompt_tokens` needs {number} entries", where)
    for side, sample in evidence.samples.items():
        _rows(sample.rows, evidence, f"{where}.samples.{side}", every=sample.error is None)
    for name, run in evidence.runs.items():
        _run(name, run, evidence, f"{where}.arms.{name}")
    for name, differences in evidence.differences.items():
        _require(name in evidence.runs, "there is no such run in `arms`", f"{where}.differences.{name}")
        _compared(differences, evidence.runs[name], evidence, f"{where}.differences.{name}")
    for name, probe in evidence.noise.items():
        _differences(probe.differences, evidence, f"{where}.noise.{name}.differences")
    for key, sweep in (("screen", evidence.screen), ("sweep", evidence.sweep)):
        if sweep is not None:
            _sweep(sweep, evidence, f"{where}.{key}")
    for index, step in enumerate(evidence.precision):
        _prompt(step.prompt_index, len(evidence.prompts), f"{where}.precision[{index}]")
    if evidence.task is not None:
        _task(evidence.task, evidence, f"{where}.task")
    of_task = {} if evidence.task is None else {f"{evidence.task.name}_{name}" for name in evidence.task.runs}
    for name, place in evidence.places.items():
        at = f"{where}.places.{name}"
        _require(name in evidence.runs or name in of_task, "there is no such run in `arms` or `task`", at)
        _prompt(place.prompt_index, len(evidence.prompts) if name in evidence.runs else _num_texts(evidence), at)


def _task(task: TaskEvidence, evidence: Evidence, where: str) -> None:
    for index, choice in enumerate(task.choices):
        _prompt(choice.prompt_index, len(evidence.prompts), f"{where}.choices[{index}]")
    for user_run in TASK_USER_RUNS:
        _require(user_run in task.runs, f"the run `{user_run}` is missing", f"{where}.runs")
    for name, run in task.runs.items():
        at = f"{where}.runs.{name}"
        plan = next((plan for known, plan in TASK_PLANS.items() if known == name.removesuffix(IN_FLOAT32)), None)
        _require(run.reference is None or run.reference in task.runs, f"there is no run `{run.reference}`", at)
        if plan is not None:
            _require((run.reference is None) == (plan.reference is None), "`reference` is wrong for this run", at)
        _prompts(run.rows, _num_texts(evidence), f"{at}.rows")
        if name in STEPS:
            _training_step(name, run, at)
        for index, row in enumerate(run.rows):
            columns = 0 if row.read_at is None else len(row.read_at)
            for field in ("read_at_token", "read_tokens"):
                length = len(getattr(row, field))
                claim = f"`{field}` has {length} entries and `read_at` has {columns}"
                _require(length == columns, claim, f"{at}.rows[{index}]")


def _training_step(name: str, run: TaskRun, at: str) -> None:
    """A training step has one row, with the numbers that the rules read."""
    _require(len(run.rows) <= 1, f"a step has one row, and this one has {len(run.rows)}", f"{at}.rows")
    own = (LOSS_NOT_SHIFTED, LOSS_SHIFTED_TWICE) if name == STEP_ALONE else (GRADIENT_OFF, COSINE)
    for row in run.rows:
        missing = {LOSS, LABELS, *own} - row.numbers.keys()
        _require(not missing, f"these numbers are missing: {', '.join(sorted(missing))}", f"{at}.rows[0].numbers")


def _num_texts(evidence: Evidence) -> int:
    """The number of texts of a task: the prompts, or what is scored of them."""
    scored = () if evidence.task is None else evidence.task.choices
    return len(scored or evidence.prompts)


def _run(name: str, run: RunResult, evidence: Evidence, where: str) -> None:
    plan = next((plan for known, plan in RUN_PLANS.items() if known == name), None)
    _require(run.reference is None or run.reference in evidence.runs, f"there is no run `{run.reference}`", where)
    if plan is not None:
        _require((run.reference is None) == (plan.reference is None), "`reference` is wrong for this run", where)
    _rows(run.rows, evidence, f"{where}.rows", every=name in USER_RUNS and run.error is None)
    if name in USER_RUNS and run.reference is not None:
        with_reference = {row.prompt_index for row in evidence.runs[run.reference].rows}
        compared = {difference.prompt_index for difference in evidence.differences.get(name, ())}
        missing = [row.prompt_index for row in run.rows if row.prompt_index in with_reference - compared]
        _require(not missing, f"the prompts {missing} are missing in `differences`", where)


def _rows(rows: Sequence[Row], evidence: Evidence, where: str, *, every: bool) -> None:
    """`every` is true if there must be a row for each prompt."""
    _prompts(rows, len(evidence.prompts), where)
    _require(not every or len(rows) == len(evidence.prompts), f"{len(evidence.prompts)} rows are needed", where)
    for index, row in enumerate(rows):
        _row(row, f"{where}[{index}]")


def _row(row: Row, where: str) -> None:
    width, prompt = len(row.input_ids), len(row.input_ids) - len(row.generated_ids)
    for name in ("tokens", "attention_mask", "position_ids", "position_ids_from_mask", "positions_used"):
        length = len(getattr(row, name))
        unknown = name == "positions_used" and not length
        _require(length == width or unknown, f"`{name}` has {length} entries and `input_ids` has {width}", where)
    _require(prompt >= 0 and row.input_ids[prompt:] == row.generated_ids, "`input_ids` ends otherwise", where)
    _require(all(row.attention_mask[prompt:]), "`attention_mask` hides a generated token", where)
    _require(row.num_pad_tokens == row.attention_mask.count(0), "`num_pad_tokens` contradicts `attention_mask`", where)


def _compared(differences: Sequence[RowDifference], run: RunResult, evidence: Evidence, where: str) -> None:
    _prompts(differences, len(evidence.prompts), where)
    _differences(differences, evidence, where)
    pads = {row.prompt_index: row.num_pad_tokens for row in run.rows}
    for index, difference in enumerate(differences):
        same = pads.get(difference.prompt_index) == difference.num_pad_tokens
        _require(same, "no row in `arms` has this prompt and pad count", f"{where}[{index}]")


def _differences(differences: Sequence[RowDifference], evidence: Evidence, where: str) -> None:
    for index, difference in enumerate(differences):
        _prompt(difference.prompt_index, len(evidence.prompts), f"{where}[{index}]")
        for number, step in enumerate(difference.steps):
            _step(step, f"{where}[{index}].steps[{number}]")
        last = len(difference.steps) - 1
        _require(
            difference.flip is None or difference.flip.step == last,
            f"`flip` is not at the last step, {last}",
            f"{where}[{index}]",
        )


def _step(step: StepDifference, where: str) -> None:
    has_number = step.max_abs_diff is not None
    _require(has_number == (step.non_finite == 0), "`max_abs_diff` and `non_finite` contradict each other", where)


def _sweep(sweep: PadCountSweep, evidence: Evidence, where: str) -> None:
    _prompt(sweep.prompt_index, len(evidence.prompts), where)
    for index, count in enumerate(sweep.counts):
        _step(count.step, f"{where}.counts[{index}].step")


def _prompts(entries: Sequence[Row | RowDifference | RowComparison | TaskRow], number: int, where: str) -> None:
    """At most one entry per prompt, in the order of the `number` prompts."""
    indices = [entry.prompt_index for entry in entries]
    _require(indices == sorted(set(indices)), "the prompts are not in order", where)
    for index in indices:
        _prompt(index, number, where)


def _prompt(index: int, number: int, where: str) -> None:
    _require(index < number, f"there is no prompt {index}", where)
