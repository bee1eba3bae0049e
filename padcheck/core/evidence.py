"""The types that hold what was measured: plain values, without tensors and without a judgement.

`padcheck.hf` fills these types in, `padcheck.judging` and `padcheck.reporters` read them, and `padcheck.core.json_io`
writes them to JSON under exactly these names.
"""

from typing import Annotated

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
from padcheck.core.run_results import Distance, RowDifference, RunResult, Sample, StepDifference

OTHER_ATTENTION = {"sdpa": "eager", "eager": "sdpa"}
"""The attention implementation that a model is compared with, by the one that it runs with."""


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
