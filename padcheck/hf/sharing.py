"""The quick way through a batch in which padding is harmless, in a third of the time.

Rows do not know of each other, so that both sides run in one generate(). And where the left-padded rows say what the
prompts alone say, one forward() over each prompt and what was generated is enough to know that: what comes next depends
on nothing else. Both are taken at their word only where no logit differs by more than rounding; any doubt is left to
the plain way, with a generate() for each side and for each prompt.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from padcheck.evidence import SINGLE
from padcheck.hf.capture import captured_warnings
from padcheck.hf.differences import compare_logits
from padcheck.hf.generation import RowTrace, forward, generate, replay
from padcheck.hf.plans import Run
from padcheck.hf.ranks import in_step
from padcheck.hf.twin import HALF
from padcheck.hf.untouched import untouched_state
from padcheck.tolerances import least_tolerance, share_of_allowance


@dataclass(frozen=True)
class Shared:
    """What single, left, right and forward gave, by arm and prompt, and what the libraries said of each.

    `first_steps` stand for forward() over each prompt alone, which was run for a few of them and agrees.
    """

    traces: dict[str, dict[int, RowTrace]]
    first_steps: dict[int, RowTrace]
    warnings: dict[str, list[str]]


def may_share(run: Run) -> bool:
    """True where rounding is so far below any fault that a forward() can stand for a cache: not in 16 bit."""
    settings = run.settings
    lengths = set(map(len, run.batch.prompts.values()))
    return not (settings.thorough or settings.do_sample or run.model.dtype in HALF) and len(lengths) > 1


def run_shared(run: Run) -> Shared | None:
    """Runs these arms of a batch; None where anything differs by more than rounding, or raises.

    The model is left as it was found: a rotary table that has grown, say, would be a trace that the plain way sees.
    """
    few = run.batch.few()
    padded = {side: run.batch.padded(side) for side in ("left", "right")}
    try:
        with in_step(), untouched_state(run.model):
            with captured_warnings() as messages:
                both = generate(run.model, [*padded["left"], *padded["right"]], run.settings)
            left, right = (dict(zip(run.batch.prompts, part, strict=True)) for part in _halves(both))
            with captured_warnings():  # of forward() and not of the generate() that it stands for
                alone = {
                    index: replay(run.model, ids, left[index].generated_ids, with_positions=True)
                    for index, ids in run.batch.prompts.items()
                }
            with captured_warnings() as of_forward:
                forwarded = {rows[0][0]: forward(run.model, rows, run.settings)[0] for rows in few.alone()}
            first_steps = {index: _first_step(trace) for index, trace in alone.items()}
            if not all(_agree(run, alone[index], trace) for index, trace in left.items()):
                return None
            if not all(_agree(run, first_steps[index], trace) for index, trace in forwarded.items()):
                return None
    except Exception:  # noqa: BLE001  the plain way raises it again, in the arm that it belongs to
        return None
    traces = {SINGLE: alone, "left": left, "right": right, "forward": forwarded}
    return Shared(traces, first_steps | forwarded, {**_told_apart(run, messages), "forward": of_forward})


def _first_step(trace: RowTrace) -> RowTrace:
    return replace(
        trace,
        generated_ids=trace.generated_ids[:1],
        position_ids=trace.position_ids[: len(trace.padded.input_ids) + 1],
        logits=trace.logits.first(1),
    )


def _halves(traces: list[RowTrace]) -> Iterator[list[RowTrace]]:
    half = len(traces) // 2
    yield traces[:half]
    yield traces[half:]


def _agree(run: Run, alone: RowTrace, other: RowTrace) -> bool:
    """True where a prompt alone chooses the same tokens, by logits that are the same but for rounding."""
    if alone.logits.argmax() != other.generated_ids:
        return False
    tolerance = least_tolerance(str(run.model.dtype).removeprefix("torch."))
    return all(
        share_of_allowance(step.max_abs_diff, tolerance.allowed(step.logit_scale)) <= 1
        for step in compare_logits(alone.logits, other.logits)
    )


def _told_apart(run: Run, messages: list[str]) -> dict[str, list[str]]:
    """Which arm made the libraries say what they said: all, where none says it again in a step of its own."""
    few = run.batch.few()
    rows = {SINGLE: few.alone()[0], "left": few.padded("left"), "right": few.padded("right")}
    said: dict[str, list[str]] = {name: [] for name in rows}
    for name, own in rows.items() if messages else ():
        with captured_warnings() as said[name]:
            generate(run.model, own, run.settings, max_new_tokens=1)
    known = {message for own in said.values() for message in own}
    return {name: [*own, *(message for message in messages if message not in known)] for name, own in said.items()}
