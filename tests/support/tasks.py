"""Builders of the evidence of a task. By default padding changes nothing, so a test changes only what it is about."""

from builders import tokenizer_facts
from msgspec.structs import replace

from padcheck.core.task_evidence import Choice, TaskDifference, TaskEvidence, TaskNoise, TaskRow, TaskRun
from padcheck.core.task_plans import STEP_ALONE, STEPS, TASK_CONTROLS, TASK_PLANS, TASK_USER_RUNS, TaskRunName
from padcheck.judging.rules import RULES
from padcheck.judging.task_rule import TaskRule

TASK_CODES = tuple(rule.code for rule in RULES if isinstance(rule, TaskRule))
"""The codes of the rules about a task, which are undecided if no task ran."""

LENGTHS = (3, 1)
"""The lengths of the two texts in tokens. In a batch the second one gets two pads."""

_NOT_BY_DEFAULT = ("left_pad_id", "right_pad_id", *STEPS)
"""They run only if the config names another pad id, or for training."""

_UNLIKE_ALONE = ("step_rows", "step_left", "step_all_ids", "step_accumulated")
"""The steps that are not that of the texts alone, whatever the model."""


def task_row(index: int, name: str, far: float | None = 0.0, *, read: int | None = -1, **changes: object) -> TaskRow:
    """One row. `read` is the token of the text that the head reads, negative from its end; None if it reads a pad."""
    plan = TASK_PLANS[name.removesuffix("_float32")]
    length = LENGTHS[index] + (name == "ends_in_eos")
    pads = max(LENGTHS) - length if plan.padding_side is not None else 0
    token = None if read is None else read % length
    first = pads if plan.padding_side == "left" else 0
    pad_column = 0 if plan.padding_side == "left" else length
    row = TaskRow(
        prompt_index=index,
        num_pad_tokens=pads,
        num_tokens=length,
        numbers={"BAD": 1.0, "GOOD": 2.0},
        outcome="GOOD",
        read_at=(pad_column if token is None else first + token,),
        read_at_token=(token,),
        read_tokens=("<pad>" if token is None else f" t{token}",),
        difference=None if plan.reference is None else TaskDifference(max_abs_diff=far, scale=2.0),
    )
    return replace(row, **changes)


def task_run(name: str, *rows: TaskRow, **changes: object) -> TaskRun:
    plan = TASK_PLANS[name.removesuffix("_float32")]
    rows = rows or tuple(task_row(index, name) for index in range(2))
    run = TaskRun(description=plan.description, reference=plan.reference, padding_side=plan.padding_side, rows=rows)
    return replace(run, **changes)


def off(name: str, far: float | None = 0.5, **changes: object) -> TaskRun:
    """A run whose padded row differs this much, and whose other row is right."""
    return task_run(name, task_row(0, name), task_row(1, name, far, **changes))


def raised(name: str, error: str = "ValueError: no") -> TaskRun:
    return task_run(name, error=error, rows=())


def classified(**runs: TaskRun) -> dict[str, object]:
    """Changes for evidence of a classifier, with these runs in place of healthy ones."""
    names: list[TaskRunName] = [name for name in TASK_PLANS if name not in _NOT_BY_DEFAULT]
    healthy = {name: off(name) if name in TASK_CONTROLS else task_run(name) for name in names}
    task = TaskEvidence(
        name="classify",
        numbers="class logits",
        head="pretrained",
        runs=healthy | runs,
        noise={"float32": TaskNoise(max_abs_diff=1e-6, samples=4)},
    )
    return {"runs": {}, "differences": {}, "left_out": (), "task": task}


def embedded(**runs: TaskRun) -> dict[str, object]:
    """Changes for evidence of an embedder, with these runs in place of healthy ones."""
    changes = classified(**runs)
    return changes | {"task": replace(changes["task"], name="embed", numbers="embeddings", head=None)}


def scored(**runs: TaskRun) -> dict[str, object]:
    """Changes for evidence of a language model that scored one prompt with two choices, of which the first is best."""
    rows = {
        name: task_run(name, *(scored_row(index, name, total) for index, total in enumerate((-1.0, -2.0))))
        for name in TASK_USER_RUNS
    }
    changes = classified(**rows | runs)["task"]
    choices = tuple(Choice(prompt_index=0, text=text) for text in (" yes", " no"))
    return {"task": replace(changes, name="score", numbers="token log-likelihoods", head=None, choices=choices)}


def scored_row(index: int, name: str, total: float, far: float = 0.0) -> TaskRow:
    """The row of a choice with this log-likelihood, so far from the same choice alone."""
    return task_row(index, name, far, numbers={"log-likelihood": total, "perplexity": 2.0}, outcome=None)


def trained(side: str = "right", **runs: TaskRun) -> dict[str, object]:
    """Changes for evidence of a language model that ran a training step, with these runs in place of healthy ones.

    The tokenizer pads on this side.
    """
    steps = {name: step_off(name) if name in _UNLIKE_ALONE else step_run(name) for name in STEPS}
    task = classified(**steps | runs)["task"]
    sampled = ("model.layers.0", "model.layers.1")
    task = replace(task, name="train", numbers="loss and gradient", head=None, sampled=sampled)
    return {"task": task, "tokenizer": tokenizer_facts(padding_side=side)}


def step_run(name: str, loss: float = 2.0, off: float = 0.0, *, labels: int = 4) -> TaskRun:
    """A step with this loss, whose gradient is off by this share."""
    alone = name == STEP_ALONE
    others = {"loss, labels not shifted": 5.0, "loss, labels shifted twice": 3.0}
    numbers = {"loss": loss, "labels": float(labels), **(others if alone else {"gradient off": off, "cosine": 1 - off})}
    far = max(off, abs(loss - 2.0) / 2.0)
    difference = None if alone else TaskDifference(max_abs_diff=far, scale=1.0)
    return task_run(name, task_row(0, name, numbers=numbers, outcome=None, difference=difference))


def step_off(name: str, loss: float | None = None, off: float = 0.5, **changes: int) -> TaskRun:
    """A step that is not that of the texts alone."""
    return step_run(name, (2.5 if name == "step_rows" else 4.0) if loss is None else loss, off, **changes)


def in_half(**runs: TaskRun) -> dict[str, object]:
    """The same for a model in bfloat16, which repeated the user runs in float32."""
    in_float32 = {}
    for name in TASK_USER_RUNS:
        reference = None if TASK_PLANS[name].reference is None else f"{TASK_PLANS[name].reference}_float32"
        run = runs.pop(f"{name}_float32", task_run(f"{name}_float32"))
        in_float32[f"{name}_float32"] = replace(run, dtype="float32", reference=reference)
    changes = classified(**runs, **in_float32)
    noise = {"bfloat16": TaskNoise(max_abs_diff=0.2, samples=64), "float32": TaskNoise(max_abs_diff=1e-6, samples=4)}
    return changes | {"task": replace(changes["task"], noise=noise)}
