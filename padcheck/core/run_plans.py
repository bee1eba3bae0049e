"""The runs: what each one is for, and which run it is compared with.

A run differs from its reference in one thing. `padcheck.hf.runs.table` executes the runs, and `padcheck.judging`
decides what a difference means. JSON reports keep the results under the key `arms`.
"""

from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from padcheck.core.facts import PaddingSide
from padcheck.core.modes import ModeName

RunName = Literal[
    "single",
    "left",
    "right",
    "replayed",
    "left_float32",
    "single_float32",
    "replayed_float32",
    "left_alone",
    "batched",
    "few_copies",
    "scrambled",
    "left_no_mask",
    "forward",
    "left_forward",
    "left_forward_positions",
    "left_forward_no_mask",
    "right_forward",
    "right_forward_no_mask",
    "right_continued",
    "packed",
    "broken_mask",
    "forward_again",
    "uncached",
    "left_uncached",
    "left_other_attention",
    "other_positions",
    "shifted",
    "static_cache",
    "left_static_cache",
    "second_turn",
    "left_second_turn",
    "chunked_prefill",
    "left_chunked_prefill",
    "inputs_embeds",
    "left_inputs_embeds",
    "assisted",
    "left_assisted",
]

SINGLE: Final = "single"
"""Each prompt alone, without padding: the reference of the other runs."""


@dataclass(frozen=True)
class RunPlan:
    """What a run is for.

    Attributes:
        description: What is different about it, for the report.
        reference: The run that it is compared with; None for a first reference.
        padding_side: None if nothing is padded.
        by_users: Users run prompts like this, and it is generated to the last token. The other runs are probes.
        as_loaded: It runs in the model's dtype. The others run in float32 if the model is in 16 bit.
        in_float32: The same run in float32, if there is one. It exists only for a model in 16 bit; probes are compared
            with it.
        must_match: A difference from the reference beyond rounding is a fault, or a known limit.
        control: It has a fault made on purpose, so it must differ from its reference. If it does not, the measurement
            could not see any fault.
        expected_to_differ: A healthy model differs here too, because it generates from a pad, or has a wrong mask or
            wrong positions.
        artificial: It has a mask, positions or attention that no user asked for.
        rows_as_alone: A row without pads must get what its prompt gets alone. If it does not, rows depend on their
            batch. False for runs that pass position_ids: a model may count positions in another way by itself, as
            RoBERTa does, and then the positions make the difference.
        counts_as_noise: How the noise floor describes it, if it also measures rounding: in exact arithmetic it equals
            its reference. None for other runs.
        stand_in: A forward() may replace generate() for some prompts.
        expensive: It runs only if a batch is in doubt, or with --thorough.
        for_training: It runs only if the task is training.
        mode: The mode that it generates in. It runs if the mode was asked for.
    """

    description: str
    reference: RunName | None
    padding_side: PaddingSide | None = None
    by_users: bool = False
    as_loaded: bool = False
    in_float32: RunName | None = None
    must_match: bool = False
    control: bool = False
    expected_to_differ: bool = False
    artificial: bool = False
    rows_as_alone: bool = False
    counts_as_noise: str | None = None
    stand_in: bool = False
    expensive: bool = False
    for_training: bool = False
    mode: ModeName | None = None


class Mode(NamedTuple):
    """What a mode is, and its two runs.

    Attributes:
        description: What is different about it, for the report.
        alone: The run of each prompt alone in this mode. It must give what the prompt alone gives without the mode.
        left: The run of the left-padded batch in this mode. It must give what `alone` gives.
    """

    description: str
    alone: RunName
    left: RunName


MODES: dict[ModeName, Mode] = {
    "static-cache": Mode("a static cache", "static_cache", "left_static_cache"),
    "second-turn": Mode("in two turns on one cache", "second_turn", "left_second_turn"),
    "no-cache": Mode("no cache", "uncached", "left_uncached"),
    "chunked-prefill": Mode("the prompt read in chunks", "chunked_prefill", "left_chunked_prefill"),
    "inputs-embeds": Mode("inputs_embeds for input_ids", "inputs_embeds", "left_inputs_embeds"),
    "assisted": Mode("drafts of the next tokens (assisted)", "assisted", "left_assisted"),
}
"""All modes, in the order of the report."""


def _plans_of(name: ModeName, *, expensive: bool = False) -> dict[RunName, RunPlan]:
    what, alone, left = MODES[name]
    return {
        alone: RunPlan(f"each prompt alone, {what}", SINGLE, mode=name, expensive=expensive),
        left: RunPlan(f"the left-padded batch, {what}", alone, "left", mode=name, expensive=expensive),
    }


RUN_PLANS: dict[RunName, RunPlan] = {
    "single": RunPlan(
        "each prompt alone", None, by_users=True, as_loaded=True, in_float32="single_float32", stand_in=True
    ),
    "left": RunPlan(
        "the left-padded batch",
        SINGLE,
        "left",
        by_users=True,
        as_loaded=True,
        in_float32="left_float32",
        must_match=True,
        rows_as_alone=True,
    ),
    "right": RunPlan(
        "the right-padded batch",
        SINGLE,
        "right",
        by_users=True,
        as_loaded=True,
        expected_to_differ=True,
        rows_as_alone=True,
    ),
    "replayed": RunPlan(
        "forward() over prompt and new tokens, no cache",
        SINGLE,
        as_loaded=True,
        in_float32="replayed_float32",
        must_match=True,
        counts_as_noise="one forward() in place of a cache",
    ),
    "left_float32": RunPlan("the left-padded batch", SINGLE, "left", must_match=True, rows_as_alone=True),
    "single_float32": RunPlan("each prompt alone", None, stand_in=True),
    "replayed_float32": RunPlan("forward() over prompt and new tokens, no cache", SINGLE, must_match=True),
    "left_alone": RunPlan("each padded prompt in a batch of one", SINGLE, "left", must_match=True),
    "batched": RunPlan(
        "a batch of copies of one prompt, nothing padded",
        SINGLE,
        must_match=True,
        counts_as_noise="a whole batch of copies",
        rows_as_alone=True,
    ),
    "few_copies": RunPlan(
        "a few copies of one prompt, nothing padded",
        SINGLE,
        must_match=True,
        counts_as_noise="a few copies in one batch",
        expensive=True,
        rows_as_alone=True,
    ),
    "scrambled": RunPlan("left, other ids under the mask", "left", "left", must_match=True, rows_as_alone=True),
    "left_no_mask": RunPlan("left, no attention_mask", "left", "left", control=True, expected_to_differ=True),
    "forward": RunPlan("forward(), each prompt alone", SINGLE, must_match=True),
    "left_forward": RunPlan("left, forward(), no position_ids", "forward", "left", rows_as_alone=True),
    "left_forward_positions": RunPlan("left, forward(), position_ids from mask", "forward", "left", must_match=True),
    "left_forward_no_mask": RunPlan(
        "left, forward(), no attention_mask", "left_forward", "left", expected_to_differ=True
    ),
    "right_forward": RunPlan(
        "right, forward(), last real token", "forward", "right", must_match=True, rows_as_alone=True
    ),
    "right_forward_no_mask": RunPlan("right, forward(), no attention_mask", "right_forward", "right"),
    "right_continued": RunPlan("right, the second token from the cache", "replayed", "right"),
    "packed": RunPlan("packed: the prompts in one row, forward()", "forward", for_training=True),
    "broken_mask": RunPlan(
        "the mask broken on purpose", "left_forward", "left", control=True, expected_to_differ=True, artificial=True
    ),
    "forward_again": RunPlan("forward(), each prompt alone, once more", "forward", must_match=True),
    **_plans_of("no-cache", expensive=True),
    "left_other_attention": RunPlan(
        "left, the other attention implementation", SINGLE, "left", expensive=True, artificial=True
    ),
    "other_positions": RunPlan(
        "left, forward(), positions backwards",
        "left_forward",
        "left",
        expensive=True,
        expected_to_differ=True,
        artificial=True,
    ),
    "shifted": RunPlan("forward(), alone, positions as after pads", "left", "left", expensive=True, artificial=True),
    **_plans_of("static-cache"),
    **_plans_of("second-turn"),
    **_plans_of("chunked-prefill"),
    **_plans_of("inputs-embeds"),
    **_plans_of("assisted"),
}
"""All runs, in the order of the report."""

USER_RUNS = tuple(name for name, plan in RUN_PLANS.items() if plan.by_users)
CONTROLS = tuple(name for name, plan in RUN_PLANS.items() if plan.control)
EXPECTED_TO_DIFFER = frozenset(name for name, plan in RUN_PLANS.items() if plan.expected_to_differ)
IN_FLOAT32 = {name: plan.in_float32 for name, plan in RUN_PLANS.items() if plan.in_float32 is not None}
"""The float32 run of each run that has one."""

HALF_ONLY = frozenset(IN_FLOAT32.values())
"""The runs that exist only if the model is in 16 bit."""
