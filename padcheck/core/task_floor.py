"""The tolerance for the numbers of a task: how far rounding alone moves them, and what is allowed."""

from padcheck.core.task_evidence import TaskNoise
from padcheck.core.tolerances import Tolerance, bounded_tolerance, given_tolerance, known_dtype, least_tolerance


def task_tolerance(
    noise: dict[str, TaskNoise],
    model_dtype: str | None,
    run_dtype: str | None,
    num_layers: int | None,
    *,
    atol: float | None = None,
    rtol: float | None = None,
) -> Tolerance:
    """What is allowed for a run in this dtype: FACTOR times the measured rounding, or the dtype's least.

    While a 16-bit model calculates in float32, its neighbouring 16-bit numbers are allowed: a smaller difference cannot
    matter in 16 bit. Tables that were rounded to 16 bit, such as GPT-J's angles, make one of that size if pads shift
    the positions.

    Args:
        noise: What random rounding errors did, by dtype.
        model_dtype: The dtype of the model.
        run_dtype: The dtype of the run; None for the model's.
        num_layers: The depth of the model, for a bound if rounding was not measured.
        atol: The user's absolute tolerance, which applies to all dtypes; None if the user set none.
        rtol: The user's relative tolerance; None if not given.
    """
    dtype = known_dtype(run_dtype or model_dtype)
    if atol is not None or rtol is not None:
        return given_tolerance(dtype, atol, rtol)
    measured = noise.get(dtype)
    if measured is None or measured.max_abs_diff is None:
        return bounded_tolerance(dtype, num_layers)
    least = least_tolerance(dtype)
    rtol = max(least.rtol, least_tolerance(model_dtype).rtol)
    return least._replace(rtol=rtol, floor=measured.max_abs_diff)
