"""What was measured of one task, such as classifying: the numbers of each text, alone and padded. Plain values only."""

from typing import Literal

import msgspec

from padcheck.core.facts import Count, PaddingSide
from padcheck.core.run_results import Distance

LOSS = "loss"
LOSS_NOT_SHIFTED, LOSS_SHIFTED_TWICE = "loss, labels not shifted", "loss, labels shifted twice"
LABELS = "labels"
GRADIENT_OFF, COSINE = "gradient off", "cosine"
GRADIENT_AT_PADS = "gradient at pads"
"""The names of numbers of the task train. `gradient off` is the norm of the difference from the reference, as a share
of the norm of the reference; `gradient at pads` is such a share too. `labels` says how many tokens have a label."""


class TaskDifference(msgspec.Struct, frozen=True, kw_only=True):
    """How far the numbers of a row are from those of the same text in the reference.

    Attributes:
        max_abs_diff: The largest absolute difference; None if either side has a NaN, or an infinity that the other side
            lacks.
        scale: The largest absolute number of the reference: rounding grows with it.
    """

    max_abs_diff: Distance | None
    scale: Distance


class TaskRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one text gave in one run.

    Attributes:
        prompt_index: The number of the text, from 0.
        num_pad_tokens: The pad count.
        num_tokens: How many tokens the text has, without pads.
        numbers: What a caller reads, by name; None for NaN and infinity. If there are many, the largest ones.
        outcome: What a caller concludes from them, such as the predicted class; None if there is nothing to conclude.
        read_at: The columns of the row that the numbers were read from; None if unknown.
        read_at_token: The number of the text's token in each of these columns, from 0; None for a pad.
        read_tokens: The text of the token in each of these columns.
        difference: How far the numbers are from those of the run's reference; None if they are not compared.
    """

    prompt_index: Count
    num_pad_tokens: Count
    num_tokens: Count
    numbers: dict[str, float | None]
    outcome: str | None = None
    read_at: tuple[Count, ...] | None = None
    read_at_token: tuple[Count | None, ...] = ()
    read_tokens: tuple[str, ...] = ()
    difference: TaskDifference | None = None


class TaskRun(msgspec.Struct, frozen=True, kw_only=True):
    """What one run gave, and what the libraries said while it ran.

    Attributes:
        description: How the texts were run.
        reference: The run that it is compared with; None if it is not compared.
        dtype: None if it ran in the model's dtype.
        padding_side: None if nothing was padded.
        warnings: The distinct warnings and log messages of the libraries.
        rows: One per text that ran; fewer if the run raised. A step of training has one for its batch.
        error: What the run raised; None if it ended.
    """

    description: str
    reference: str | None = None
    dtype: str | None = None
    padding_side: PaddingSide | None
    warnings: tuple[str, ...] = ()
    rows: tuple[TaskRow, ...] = ()
    error: str | None = None


class TaskNoise(msgspec.Struct, frozen=True, kw_only=True):
    """How far random rounding errors move the numbers of the texts alone.

    Attributes:
        max_abs_diff: The largest movement; None if it was not measured.
        samples: How many times a number was compared.
        error: Why it was not measured; None if it was.
    """

    max_abs_diff: Distance | None
    samples: Count = 0
    error: str | None = None


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What a scored text is: a prompt with one of its choices, or a prompt alone if `text` is None."""

    prompt_index: Count
    text: str | None


class TaskEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured of one task.

    Attributes:
        name: The task.
        numbers: What its numbers are, such as `class logits`.
        head: Whether the weights of the head come from the checkpoint; None if unknown, as for a model in memory, and
            for a task without a head.
        pooling: The pooling modes of a sentence-transformers model; empty for any other.
        choices: For the task score, what each text is; the rows of the runs count these texts.
        sampled: For the task train, the modules whose weights the gradients of the steps belong to.
        runs: What each run gave, by its name.
        noise: What rounding does, by dtype.
        float32_error: Why a 16-bit model did not run in float32; None if it did, or is not in 16 bit.
    """

    name: str
    numbers: str
    head: Literal["pretrained", "random"] | None = None
    pooling: tuple[str, ...] = ()
    choices: tuple[Choice, ...] = ()
    sampled: tuple[str, ...] = ()
    runs: dict[str, TaskRun] = {}
    noise: dict[str, TaskNoise] = {}
    float32_error: str | None = None
