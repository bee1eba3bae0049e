"""PAD305: Cause: the result depends on the slots of the prompt, while pads and position_ids are right."""

from padcheck.core.severity import Severity
from padcheck.core.verdicts import Finding, Skipped
from padcheck.judging.case import LEFT_BATCH, Case, how_far, worst
from padcheck.judging.pad_count_pattern import period, varies
from padcheck.judging.rule import EQUAL_LENGTH, NO_SWEEP, Rule


class SlotsAnchored(Rule):
    """Cause: the result depends on the slots of the prompt, while pads and position_ids are right.

    Why it matters:
        Blocks, chunks or windows that begin at multiples of slots cut a padded prompt in other places than the same
        prompt alone. Masks and positions are right, and the result is wrong. A pad count that fills whole blocks hides
        it.

    How padcheck knows:
        Other ids under the mask change nothing. One prompt runs with many pad counts. It is right for every multiple of
        some size and wrong in between, or the difference changes with the pad count while the positions that forward()
        reads cannot explain it.

    Fix:
        Batch prompts whose lengths differ by multiples of the size, or anchor the blocks to positions in the model's
        code.

    References:
        huggingface/transformers#47651
    """

    code = "PAD305"
    name = "slots-anchored"
    severity = Severity.ERROR
    reads = (LEFT_BATCH, "scrambled")
    suppressed_by = ("PAD206", "PAD207", "PAD301", "PAD302", "PAD304")
    tasks = ("generate",)
    side = "left"

    def decide(self, case: Case) -> Finding | Skipped | None:
        """Fires if the sweep has a period, or varies although positions are right."""
        steps, wrong = case.sweep(), case.wrong(case.left)
        if not steps:
            return self.skip(NO_SWEEP) if wrong else None
        size = period(steps)
        varied = all(step.off for step in steps) and varies(steps)
        off = [step for step in steps if step.off and step.max_abs_diff is not None]
        if any(step.off for step in case.first_steps("scrambled")) or not off or not (size or varied):
            return None
        furthest = worst(off)
        sizes = case.evidence.sweep.sizes if case.evidence.sweep else {}
        named = [key for key, value in sizes.items() if value == size]
        if size:
            what = f"With a multiple of {size} pads the prompt is right, with other pad counts it is wrong"
            what += f" ({', '.join(named)} is {size})" if named else ""
        else:
            what = "The difference changes with the pad count, and neither pads nor position_ids explain it"
        return self.found(
            f"{what}, so something is anchored to slots: {how_far(furthest, f'prompt {furthest.prompt_index}')}.",
            fix=f"# batch prompts whose lengths differ by multiples of {size}, or run them one by one"
            if size
            else f"# {EQUAL_LENGTH}",
            place=case.place,
            prompts=[row.prompt_index for row in wrong] or [furthest.prompt_index],
            period=size,
            max_abs_diff=furthest.max_abs_diff,
            allowed=furthest.allowed,
        )
