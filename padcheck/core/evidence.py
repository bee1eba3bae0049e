"""The types that hold what was measured: plain values, without tensors and without a judgement.

`padcheck.hf` fills these types in, `padcheck.judging` and `padcheck.reporters` read them, and `padcheck.core.json_io`
writes them to JSON under exactly these names.
"""

from typing import Annotated, Literal

import msgspec

from padcheck.core.facts import (
    Count,
    Environment,
    LengthLimit,
    ModelFacts,
    PaddingSide,
    Size,
    SpecialTokenIds,
    TokenizerFacts,
)
from padcheck.core.modes import ModeName

PositionsUsedBy = Literal["table", "rotary"]

Distance = Annotated[float, msgspec.Meta(ge=0, le=2.0**129)]
"""How far two logits are apart, or the size of one. Logits are float32, so it is at most twice their largest number."""

OTHER_ATTENTION = {"sdpa": "eager", "eager": "sdpa"}
"""The attention implementation that a model is compared with, by the one that it runs with."""


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


class NoiseProbe(msgspec.Struct, frozen=True, kw_only=True):
    """The unpadded run, repeated in a way that gives the same result in exact arithmetic: a difference is rounding.

    `error` says why the probe did not run, or what it raised.
    """

    description: str
    differences: tuple[RowDifference, ...] = ()
    error: str | None = None


class PadCount(msgspec.Struct, frozen=True, kw_only=True):
    """The next-token logits of one prompt with this pad count, against the same prompt without pads."""

    num_pad_tokens: Size
    step: StepDifference


class PadCountSweep(msgspec.Struct, frozen=True, kw_only=True):
    """One text with many pad counts.

    Attributes:
        prompt_index: The prompt that the text comes from.
        sizes: The sizes of the model's windows, blocks and chunks in tokens, by config key.
        counts: One entry per pad count.
        error: What the sweep raised; None if it ended.
    """

    prompt_index: Count
    sizes: dict[str, Size]
    counts: tuple[PadCount, ...] = ()
    error: str | None = None


class PrecisionStep(msgspec.Struct, frozen=True, kw_only=True):
    """How far the 16-bit logits of one step are from float32, with left padding and without.

    Both follow the same tokens, and both are compared with the logits of the prompt alone in float32. The distance is
    the standard deviation of the differences over the vocabulary: softmax ignores a shift that all logits share.

    Attributes:
        prompt_index: The number of the prompt, from 0.
        num_pad_tokens: The pad count of the left-padded row.
        step: The number of the generated token, from 0.
        left: The distance of the left-padded row.
        alone: The distance of the prompt alone in 16 bit.
    """

    prompt_index: Count
    num_pad_tokens: Count
    step: Count
    left: Distance
    alone: Distance


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The first module whose output differs for a prompt's real tokens although its inputs agree.

    Attributes:
        module: Its dotted name. The model itself goes by its class. If generate() passes wrong positions, this is
            `Class.prepare_inputs_for_generation`.
        class_name: The class of the module.
        file: The file of forward(), or of the method that `module` names, relative to the package or the working
            directory.
        line: The line in which that method begins.
        difference_before: The largest difference of the module's inputs on the real tokens; None if that is not finite.
        difference: The largest difference of its output; None if that is not finite.
        allowed: The largest difference that rounding explains.
        prompt_index: The number of the prompt, from 0.
        step: The forward() call of generate(), from 0.
    """

    module: str
    class_name: str = msgspec.field(name="class")
    file: str | None
    line: Size | None
    difference_before: float | None
    difference: float | None
    allowed: float
    prompt_index: Count
    step: Count

    def __str__(self) -> str:
        """For example `model.layers.2.self_attn (LlamaAttention, transformers/models/llama/modeling_llama.py:253)`."""
        names_class = self.module.split(".")[0] == self.class_name
        details = [] if names_class else [self.class_name]
        if self.file is not None:
            details.append(self.file if self.line is None else f"{self.file}:{self.line}")
        return f"{self.module} ({', '.join(details)})" if details else self.module


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was measured of one model. `runs` and `differences` are empty after `inspect-tokenizer`.

    Attributes:
        model: The model.
        environment: The versions of the libraries.
        tokenizer: The tokenizer.
        special_token_ids: The special tokens that tokenizer, config and generation_config name.
        generation_config: What the model's generation_config sets.
        overridden: The part of it that was switched off for the measurement, such as sampling and penalties.
        prompts: The texts that were run.
        companion: The number of the prompt that padcheck added, because all the others have the same length; None if
            it added none.
        num_prompt_tokens: The length of each prompt in tokens.
        crossing_prompts: The prompts that --cross-limits added, by index: repeated text, to pass `length_limits`.
        length_limits: The lengths at which the model changes what it does, in ascending order.
        num_pad_tokens_in_prompts: How often the pad token occurs in the prompts themselves.
        max_new_tokens: How many tokens were generated per prompt.
        batch_size: The most prompts that were padded together.
        batch_sizes_too_large: The batch sizes with which memory ran out.
        sampled: True with --do-sample.
        samples: A batch that the tokenizer padded, by side.
        load_warnings: What the libraries said while they loaded the model.
        labels_keep_eos: Whether transformers' collator keeps the eos of a text as a label; None if unknown.
        modes: The modes that were asked for.
        runs: What each run gave, by its name.
        differences: How far each row of a run is from its reference, by the run's name.
        left_out: The expensive probes that did not run because nothing was in doubt.
        noise: How rounding was measured, by the name of the probe.
        precision: The errors of 16 bit with and without padding, step by step.
        screen: A sweep over a few pad counts, which every model gets.
        sweep: The expensive sweep over many pad counts.
        places: The first module that differs, by the name of the run.
        settings: The `MeasureSettings` that differ from their defaults.
    """

    model: ModelFacts
    environment: Environment
    tokenizer: TokenizerFacts
    special_token_ids: SpecialTokenIds
    generation_config: dict[str, object]
    overridden: dict[str, object] = {}
    prompts: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    companion: Count | None = None
    num_prompt_tokens: tuple[Count, ...]
    crossing_prompts: tuple[Count, ...] = ()
    length_limits: tuple[LengthLimit, ...] = ()
    num_pad_tokens_in_prompts: Count
    max_new_tokens: Size
    batch_size: Size | None = None
    batch_sizes_too_large: tuple[Size, ...] = ()
    sampled: bool = False
    samples: dict[PaddingSide, Sample]
    load_warnings: tuple[str, ...] = ()
    labels_keep_eos: bool | None = None
    modes: tuple[ModeName, ...] = ()
    runs: dict[str, RunResult] = msgspec.field(default_factory=dict, name="arms")
    differences: dict[str, tuple[RowDifference, ...]] = {}
    left_out: tuple[str, ...] = ()
    noise: dict[str, NoiseProbe] = {}
    precision: tuple[PrecisionStep, ...] = ()
    screen: PadCountSweep | None = None
    sweep: PadCountSweep | None = None
    places: dict[str, Place] = {}
    settings: dict[str, object] = {}

    @property
    def longest_given_prompt(self) -> int:
        """The length in tokens of the longest prompt that --cross-limits did not add."""
        return max(n for index, n in enumerate(self.num_prompt_tokens) if index not in self.crossing_prompts)

    @property
    def longest_given_row(self) -> int:
        """The length of the longest of these prompts with its new tokens; 0 if nothing ran."""
        rows = (row for run in self.runs.values() for row in run.rows if row.prompt_index not in self.crossing_prompts)
        return max((sum(row.attention_mask) for row in rows), default=0)
