"""What one run gave, row by row, and how far each row is from its reference."""

from typing import Annotated, Literal

import msgspec

from padcheck.core.facts import Count, PaddingSide

PositionsUsedBy = Literal["table", "rotary"]

Distance = Annotated[float, msgspec.Meta(ge=0, le=2.0**129)]
"""How far two logits are apart, or the size of one. Logits are float32, so it is at most twice their largest number."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt in one batch: the padded prompt, followed by the generated tokens up to the first eos.

    A column is one token of the row. The lists from `tokens` to `positions_used` have one entry per column.

    Attributes:
        prompt_index: The number of the prompt, from 0.
        num_pad_tokens: The pad count.
        tokens: The text of each token.
        input_ids: Pads, prompt and generated tokens.
        attention_mask: 1 for a real token, 0 for a pad.
        position_ids: What forward() received. None for the last generated token, which never enters forward(), and
            in every column if the model takes no position_ids.
        position_ids_from_mask: The textbook formula: `cumsum(mask) - 1`, and 1 for a pad.
        positions_used: What the model really used, whatever it received: the rows of its position table, including
            the table's offset (OPT starts at 2), or the positions that its rotary module received. None in a column
            that never enters forward(); empty if unknown.
        positions_used_by: Where `positions_used` was read; None if unknown.
        generated_ids: The generated tokens, up to and including the first eos.
        text: The whole row as text, special tokens included.
        prompt_text: The prompt's part of it.
        generated_text: The generated part of it.
        new_text: The generated part without special tokens.
        non_finite_logits: How many logits of the generated tokens are NaN or plus infinity.
        stand_in: What ran in place of generate(); None if generate() ran.
    """

    prompt_index: Count
    num_pad_tokens: Count
    tokens: tuple[str, ...]
    input_ids: tuple[int, ...]
    attention_mask: tuple[Annotated[int, msgspec.Meta(ge=0, le=1)], ...]
    position_ids: tuple[int | None, ...]
    position_ids_from_mask: tuple[int, ...]
    positions_used: tuple[int | None, ...] = ()
    positions_used_by: PositionsUsedBy | None = None
    generated_ids: tuple[int, ...]
    text: str
    prompt_text: str
    generated_text: str
    new_text: str
    non_finite_logits: Count = 0
    stand_in: str | None = None


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one run gave, and what the libraries said while it ran.

    Attributes:
        description: How the prompts were run.
        reference: The run that it is compared with; None if it is itself a first reference.
        dtype: None if it ran in the model's dtype.
        padding_side: None if nothing was padded.
        warnings: The distinct warnings and log messages of the libraries.
        rows: One per prompt; fewer if the run raised.
        error: What the run raised; None if it ended.
        refused: True if no forward() raised the error: the library does not run this model like this, and says so.
        stand_in: What ran in place of generate(), if that happened for any row.
    """

    description: str = ""
    reference: str | None = None
    dtype: str | None = None
    padding_side: PaddingSide | None
    warnings: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    error: str | None = None
    refused: bool = False
    stand_in: str | None = None


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that the tokenizer padded on one side; `error` is what it raised."""

    rows: tuple[Row, ...] = ()
    error: str | None = None


class StepDifference(msgspec.Struct, frozen=True, kw_only=True):
    """How far the next-token logits of one step are from the reference's.

    Attributes:
        max_abs_diff: The largest absolute difference of two logits; None if either side has a NaN, or an infinity that
            the other side lacks.
        kl: KL(reference || run) in nats; None in the same cases, and if it is infinite.
        logit_scale: The largest absolute logit of the reference: rounding grows with it.
        non_finite: How many logits are NaN or an infinity that the other side lacks.
    """

    max_abs_diff: Distance | None
    kl: Distance | None
    logit_scale: Distance
    non_finite: Count = 0


class TokenFlip(msgspec.Struct, frozen=True, kw_only=True):
    """The first step at which a run chose another token than its reference.

    Attributes:
        step: The number of the generated token, from 0.
        reference_token_id: The reference's choice.
        reference_token: Its text.
        token_id: The run's choice.
        token: Its text.
        reference_margin: In the reference: the logit of its own choice minus the logit of the run's choice. None if
            either is not finite.
        margin: In the run: the logit of its own choice minus the logit of the reference's choice. None if either is
            not finite.
    """

    step: Count
    reference_token_id: int
    reference_token: str
    token_id: int
    token: str
    reference_margin: float | None
    margin: float | None


class RowDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a run against the same prompt in its reference, step by step.

    The steps end with the first different token. After it the two rows continue different texts, so a difference of
    their logits says nothing about padding.
    """

    prompt_index: Count
    num_pad_tokens: Count
    steps: Annotated[tuple[StepDifference, ...], msgspec.Meta(min_length=1)]
    flip: TokenFlip | None = None
