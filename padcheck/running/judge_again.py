"""A saved document, judged again without its model."""

from collections.abc import Mapping
from typing import Any

from padcheck.core.report import Check, Document, Survey
from padcheck.judging.judge import rejudge
from padcheck.running import many_models, survey


def judge_again(document: Document, changes: Mapping[str, Any]) -> Document:
    """The same evidence, judged as before except for these fields of `JudgeSettings`.

    Raises:
        UsageError: A survey is to be judged with other tolerances, or a code is unknown.
    """
    if isinstance(document, Survey):
        return survey.judge_again(document, changes)
    if isinstance(document, Check):
        return many_models.judge_again(document, changes)
    return rejudge(document, changes)
