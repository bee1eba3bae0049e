"""Decides whether a batch is in doubt: a run differs that should agree, or a fault made on purpose is not seen."""

from collections.abc import Iterable

from transformers import PreTrainedModel

from padcheck.core.noise_floor import noise_floor, tolerance_of
from padcheck.core.run_plans import CONTROLS, RUN_PLANS, RunName
from padcheck.core.run_results import RowDifference, StepDifference
from padcheck.core.tolerances import Tolerance, share_of_allowance
from padcheck.hf.calls.batches import Batch
from padcheck.hf.library.config_facts import num_layers
from padcheck.hf.runs.noise import NoiseMeter
from padcheck.hf.runs.run_log import RunLog


class Doubt:
    """Compares what the runs gave with what rounding explains, as far as it was measured.

    Attributes:
        logs: What the runs gave so far, by name. The recorder adds to it.
        noise: How far rounding moves the logits. The runner adds to it.
    """

    def __init__(self, model: PreTrainedModel, logs: dict[RunName, RunLog], noise: NoiseMeter) -> None:
        self.logs = logs
        self.noise = noise
        self._dtype = str(model.dtype).removeprefix("torch.")
        self._num_layers = num_layers(model.config)

    def about(self, batch: Batch) -> bool:
        """True if a run differs in this batch that should agree, or if no fault made on purpose shows."""
        if any(self.off(name, batch) for name, plan in RUN_PLANS.items() if plan.must_match):
            return True
        padded = len(set(map(len, batch.prompts.values()))) > 1
        return padded and not any(self.off(name, batch) for name in CONTROLS)

    def off(self, name: RunName, batch: Batch) -> bool:
        """True if a row of the run in this batch differs from its reference by more than rounding."""
        return self.first_off(name, batch) is not None

    def first_off(self, name: RunName, batch: Batch) -> tuple[int, int] | None:
        """The prompt that differs at the earliest step, and the step; if several do, the one that is furthest off."""
        found = self.logs[name].differences if name in self.logs else {}
        steps = {index: found[index].steps for index in batch.prompts if index in found}
        if not steps:
            return None
        tolerance = self._tolerance(name)
        wrong = [
            (number, -share, index)
            for index, row in steps.items()
            for number, share in enumerate(_shares(row, tolerance))
            if share > 1
        ]
        if not wrong:
            return None
        step, _, index = min(wrong)
        return index, step

    def any_off(self, name: RunName, steps: Iterable[StepDifference]) -> bool:
        """True if one of the steps differs by more than rounding explains for the run."""
        return any(share > 1 for share in _shares(steps, self._tolerance(name)))

    def _tolerance(self, name: RunName) -> Tolerance:
        own_dtype: dict[str, tuple[RowDifference, ...]] = {
            other: log.all_differences() for other, log in self.logs.items() if log.dtype is None
        }
        floor = noise_floor(self._dtype, self._num_layers, self.noise.evidence(), own_dtype)
        return tolerance_of(floor, self.logs[name].evidence())


def _shares(steps: Iterable[StepDifference], tolerance: Tolerance) -> list[float]:
    return [share_of_allowance(step.max_abs_diff, tolerance.allowed(step.logit_scale)) for step in steps]
