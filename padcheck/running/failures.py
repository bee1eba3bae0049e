"""Turns the error of one model into a value, so that the other models still run."""

import traceback
from collections.abc import Callable
from typing import NamedTuple

from padcheck.core.errors import ISSUES, NotMeasuredError, PadcheckError, UsageError, caused_by_the_machine
from padcheck.core.exit_codes import ExitCode
from padcheck.core.report import Report


class Failure(NamedTuple):
    """Why a model has no report, and the traceback if the reason is a bug in padcheck."""

    exit_code: ExitCode
    error: PadcheckError
    traceback: str | None = None


def report_or_failure(compare: Callable[[], Report], *, raise_usage_errors: bool) -> Report | Failure:
    """Measures and judges one model, and returns any error as a `Failure`.

    Args:
        compare: Returns the report.
        raise_usage_errors: True for the only model of a command. Of several models, the others may accept the option
            that this one does not.

    Raises:
        UsageError: If `raise_usage_errors` is set and the model does not accept an option.
    """
    try:
        return compare()
    except UsageError as error:
        if raise_usage_errors:
            raise
        return Failure(ExitCode.NOT_MEASURED, error)
    except NotMeasuredError as error:
        return Failure(error.exit_code, error)
    except Exception as error:  # noqa: BLE001  a bug must not stop the other models
        explained = caused_by_the_machine(error)
        if explained is not None:
            return Failure(explained.exit_code, explained)
        bug = PadcheckError(
            f"A bug in padcheck: {type(error).__name__}: {error}", change=f"Please report it: {ISSUES}."
        )
        return Failure(ExitCode.BUG, bug, "".join(traceback.format_exception(error)))
