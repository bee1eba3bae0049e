"""The quick way through a batch in which padding is harmless, in a fraction of the time.

Rows should not know of each other, so that both sides run in one generate(). And where the left-padded rows say what
the prompts alone say, one forward() over each prompt and what was generated is enough to know that. All this is taken
at its word only where no logit of the left-padded rows differs by more than rounding, neither beside the right-padded
ones nor in a batch of their own, nor those of a prompt that runs once more. Any doubt is left to the plain way, where
each arm runs by itself, and each prompt has a generate() of its own.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from padcheck.evidence import SINGLE
from padcheck.hf.batches import Rows
from padcheck.hf.capture import captured_warnings
from padcheck.hf.differences import compare_logits
from padcheck.hf.generation import RowTrace, forward, generate, replay, takes_position_ids
from padcheck.hf.plans import PLANS, Run, under_own_mask
from padcheck.hf.ranks import in_step
from padcheck.hf.twin import HALF
from padcheck.hf.untouched import untouched_state
from padcheck.progress import Progress
from padcheck.textbook import position_ids_from_mask
from padcheck.tolerances import least_tolerance, share_of_allowance

_Traces = dict[int, RowTrace]
"""Of some prompts, by their index."""


@dataclass(frozen=True)
class Shared:
    """What the arms gave that ran together, by arm and prompt, and what the libraries said of each."""

    traces: dict[str, _Traces]
    warnings: dict[str, list[str]]


def may_share(run: Run) -> bool:
    """True where rounding is so far below any fault that a forward() can stand for a cache: not in 16 bit."""
    settings = run.settings
    lengths = set(map(len, run.batch.prompts.values()))
    return not (settings.thorough or settings.do_sample or run.model.dtype in HALF) and len(lengths) > 1


def run_shared(run: Run, progress: Progress) -> Shared | None:
    """Runs these arms of a batch; None where anything differs by more than rounding, or raises.

    The model is left as it was found: a rotary table that has grown, say, would be a trace that the plain way sees.
    """
    try:
        with in_step(), untouched_state(run.model):
            with progress.stage("running both sides at once", "together"):
                generated, warnings = _generated(run)
            # Of forward(), and not of the generate() that it stands for.
            with progress.stage("running each prompt alone", SINGLE), captured_warnings():
                alone = {
                    index: replay(run.model, ids, generated["left"][index].generated_ids, with_positions=True)
                    for index, ids in run.batch.prompts.items()
                }
            if not all(_agree(run, alone[index], trace) for index, trace in generated["left"].items()):
                return None
            with progress.stage("running left, other ids under the mask", "scrambled"):
                scrambled, said_of_left = _scrambled(run)
            if not all(_agree(run, _first_steps(generated["left"][i], 2), trace) for i, trace in scrambled.items()):
                return None
            first_steps = {index: _first_step(trace) for index, trace in alone.items()}
            with progress.stage("running forward()", "forwards"), captured_warnings() as of_forward:
                forwarded = _forwarded(run, generated["left"])
            for arm in {"forward_again", "left_forward_positions"} & forwarded.keys():
                if not all(_agree(run, first_steps[index], trace) for index, trace in forwarded[arm].items()):
                    return None
    except Exception:  # noqa: BLE001  the plain way raises it again, in the arm that it belongs to
        return None
    traces = {SINGLE: alone, **generated, "scrambled": scrambled, "forward": first_steps, **forwarded}
    of_others = {"scrambled": said_of_left, **dict.fromkeys(("forward", *forwarded), of_forward)}
    return Shared(traces, warnings | of_others)


def _generated(run: Run) -> tuple[dict[str, _Traces], dict[str, list[str]]]:
    """Both sides, and the warnings of each; those of the prompts alone as well.

    The left-padded rows come last: what a batch has too little of (an expert's capacity) its last rows lose first.
    """
    rows = {"right": run.batch.padded("right"), "left": run.batch.padded("left")}
    with captured_warnings() as messages:
        traces = _together(partial(generate, run.model, settings=run.settings), rows)
    # In the order of the plain way, since a static cache is kept for the next call of the same size.
    in_order = {SINGLE: run.batch.few().alone()[0], "left": rows["left"], "right": rows["right"]}
    said = {name: _said_before_forward(run, own) for name, own in in_order.items()}
    known = {message for own in said.values() for message in own}
    of_all = [message for message in messages if message not in known]
    return traces, {name: [*own, *of_all] for name, own in said.items()}


def _scrambled(run: Run) -> tuple[_Traces, list[str]]:
    """A batch with pads on the left alone: a model may ask once for all rows where the pads are."""
    few = replace(run, batch=run.batch.few())
    with captured_warnings() as messages:
        traces = PLANS["scrambled"].run(few)
    return dict(zip(few.batch.prompts, traces, strict=True)), messages


def _forwarded(run: Run, left: _Traces) -> dict[str, _Traces]:
    """The arms that are one forward()."""
    few = run.batch.few()
    run_forward = partial(forward, run.model, settings=run.settings)
    [longest] = run.batch.longest().alone()
    traces = _together(run_forward, {"forward_again": longest})
    traces |= _together(run_forward, {"left_forward": few.padded("left"), "broken_mask": few.mask_broken()})
    traces |= _together(run_forward, {"right_forward": run.batch.padded("right")})
    traces |= _together(
        partial(run_forward, with_mask=False),
        {"left_forward_no_mask": few.padded("left"), "right_forward_no_mask": few.padded("right")},
    )
    traces["broken_mask"] = dict(zip(few.prompts, under_own_mask([*traces["broken_mask"].values()], few), strict=True))
    if takes_position_ids(run.model):
        traces["left_forward_positions"] = _with_positions(run, left)
    return traces


def _with_positions(run: Run, left: _Traces) -> _Traces:
    """Of the left-padded batch with its textbook position_ids: where generate() gave them, its prefill was that too."""
    given = all(
        trace.position_ids[column] == position
        for trace in left.values()
        for column, position in enumerate(position_ids_from_mask(trace.padded.attention_mask))
        if trace.padded.attention_mask[column]
    )
    rows = (run.batch.few() if given else run.batch).padded("left")
    traces = forward(run.model, rows, run.settings, positions=position_ids_from_mask)
    stand_ins = {index: _first_step(trace) for index, trace in left.items()} if given else {}
    return stand_ins | {index: trace for (index, _), trace in zip(rows, traces, strict=True)}


def _together(call: Callable[[Rows], list[RowTrace]], rows: dict[str, Rows]) -> dict[str, _Traces]:
    """The rows of several arms in one call."""
    traces = iter(call([row for own in rows.values() for row in own]))
    return {name: {index: next(traces) for index, _ in own} for name, own in rows.items()}


def _first_step(trace: RowTrace) -> RowTrace:
    """What forward() over the prompt would have given."""
    return _first_steps(trace, 1)


def _first_steps(trace: RowTrace, number: int) -> RowTrace:
    columns = len(trace.padded.input_ids) + number - 1
    return replace(
        trace,
        generated_ids=trace.generated_ids[:number],
        position_ids=(*trace.position_ids[:columns], None),
        positions_used=(*trace.positions_used[:columns], None),
        logits=trace.logits.first(number),
    )


def _agree(run: Run, alone: RowTrace, other: RowTrace) -> bool:
    """True where a prompt alone chooses the same tokens, by logits that are the same but for rounding."""
    if alone.logits.argmax() != other.generated_ids:
        return False
    tolerance = least_tolerance(str(run.model.dtype).removeprefix("torch."))
    return all(
        share_of_allowance(step.max_abs_diff, tolerance.allowed(step.logit_scale)) <= 1
        for step in compare_logits(alone.logits, other.logits)
    )


class _ForwardReachedError(Exception):
    """generate() has come to forward()."""


def _said_before_forward(run: Run, rows: Rows) -> list[str]:
    """What generate() says of these rows before it runs the model."""

    def stop(*_: object) -> None:
        raise _ForwardReachedError

    handle = run.model.register_forward_pre_hook(stop)
    try:
        with captured_warnings() as messages, suppress(_ForwardReachedError):
            generate(run.model, rows, run.settings, max_new_tokens=1)
    finally:
        handle.remove()
    return messages
