"""What was measured, as plain facts: no tensor, no judgement, no screen.

`padcheck.hf` fills these types in, `padcheck.judging` and `padcheck.reporters` read them, and `padcheck.core.json_io`
writes them to JSON under exactly these names.
"""

from typing import Annotated, Literal

import msgspec

from padcheck.core.facts import Environment, ModelFacts, PaddingSide, SpecialTokenIds, TokenizerFacts

PositionsUsedBy = Literal["table", "rotary"]

OTHER_ATTENTION = {"sdpa": "eager", "eager": "sdpa"}
"""What a model is run with to see whether its attention implementation matters."""


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt in one batch: the padded prompt and, behind it, the generated tokens up to the first eos.

    The lists `tokens`, `input_ids`, `attention_mask`, `position_ids` and `position_ids_from_mask` have one entry a
    column. `position_ids` is what forward() really received: None in a column that never entered forward() (the last
    generated token), and everywhere where the model takes no position_ids. `position_ids_from_mask` is the textbook
    formula. `non_finite_logits` counts NaN and plus infinity in the logits of the generated tokens. `stand_in` says
    what ran in place of generate().

    `positions_used` is what the model looked up, whatever it received: the rows of its position table with the table's
    own offset (OPT starts at 2), or what its rotary module was given; `positions_used_by` says which. It has one entry
    a column, None in a column that never entered, or is empty where nothing is known.
    """

    prompt_index: int
    num_pad_tokens: int
    tokens: tuple[str, ...]
    input_ids: tuple[int, ...]
    attention_mask: tuple[int, ...]
    position_ids: tuple[int | None, ...]
    position_ids_from_mask: tuple[int, ...]
    positions_used: tuple[int | None, ...] = ()
    positions_used_by: PositionsUsedBy | None = None
    generated_ids: tuple[int, ...]
    text: str
    prompt_text: str
    generated_text: str
    new_text: str
    non_finite_logits: int = 0
    stand_in: str | None = None


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """One way of running the prompts, and what the libraries said while it ran.

    `reference` is the arm that it differs from in one thing, and is compared with; None for a first reference.
    `dtype` is set if it is not the model's, `error` if the arm raised. `stand_in` says what ran in place of generate()
    for those rows that say so too.
    """

    description: str = ""
    reference: str | None = None
    dtype: str | None = None
    padding_side: PaddingSide | None
    warnings: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    error: str | None = None
    stand_in: str | None = None


class Sample(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that the tokenizer itself padded when asked for one side; `error` is set where it raised."""

    rows: tuple[Row, ...] = ()
    error: str | None = None


class StepDifference(msgspec.Struct, frozen=True, kw_only=True):
    """How far the next-token logits of one step are from the reference's.

    `max_abs_diff` and `kl` (nats, KL(reference || arm)) are None where either side has NaN or an unmatched infinity;
    `non_finite` counts those entries. `logit_scale` is the largest absolute logit of the reference, since rounding
    grows with it.
    """

    max_abs_diff: float | None
    kl: float | None
    logit_scale: float
    non_finite: int = 0


class TokenFlip(msgspec.Struct, frozen=True, kw_only=True):
    """The first step at which an arm chose another token than the reference, and by how much each preferred its own.

    `margin` is the arm's logit of its token minus its logit of the reference's token; `reference_margin` the
    reference's, the other way round. Both are None where a logit is not finite.
    """

    step: int
    reference_token_id: int
    reference_token: str
    token_id: int
    token: str
    reference_margin: float | None
    margin: float | None


class RowDifference(msgspec.Struct, frozen=True, kw_only=True):
    """One row of an arm against the same prompt alone, step by step up to and including the first different token.

    Past that step the two continue different texts, and their logits have nothing to say about padding.
    """

    prompt_index: int
    num_pad_tokens: int
    steps: Annotated[tuple[StepDifference, ...], msgspec.Meta(min_length=1)]
    flip: TokenFlip | None = None


class NoiseProbe(msgspec.Struct, frozen=True, kw_only=True):
    """The unpadded run repeated in a way that is the same in exact arithmetic: what differs is rounding.

    `error` says why it was not run, or what it raised.
    """

    description: str
    differences: tuple[RowDifference, ...] = ()
    error: str | None = None


class PadCount(msgspec.Struct, frozen=True, kw_only=True):
    """The next token of one prompt behind a number of pads, against the same prompt behind none."""

    num_pad_tokens: int
    step: StepDifference


class PadCountSweep(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt behind ever more pads. `sizes` are the model's own windows, blocks and chunks, by config key."""

    prompt_index: int
    sizes: dict[str, int]
    counts: tuple[PadCount, ...] = ()
    error: str | None = None


class PrecisionStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a left-padded row of a 16-bit model, and of the same prompt alone after the same tokens.

    `left` and `alone` are the distances of their 16-bit logits from those of the prompt alone in float32: the standard
    deviation of the differences over the vocabulary, since softmax does not see what all logits have in common.
    """

    prompt_index: int
    num_pad_tokens: int
    step: int
    left: float
    alone: float


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The first module that gives something else for a prompt's real tokens although it received the same.

    `module` is its dotted name, the class for the model itself, `Class.prepare_inputs_for_generation` where generate()
    passes wrong positions. `file` (from the package or working directory on) and `line` are those of this method, or of
    forward(). `difference_before` is the largest difference of its inputs on the real tokens, `difference` that of its
    output (None: not finite), `allowed` what rounding explains. `step` is the forward() call of generate(), from 0.
    """

    module: str
    class_name: str = msgspec.field(name="class")
    file: str | None
    line: int | None
    difference_before: float | None
    difference: float | None
    allowed: float
    prompt_index: int
    step: int

    def __str__(self) -> str:
        """Such as `model.layers.2.self_attn (LlamaAttention, transformers/models/llama/modeling_llama.py:253)`."""
        names_class = self.module.split(".")[0] == self.class_name
        details = [] if names_class else [self.class_name]
        if self.file is not None:
            details.append(self.file if self.line is None else f"{self.file}:{self.line}")
        return f"{self.module} ({', '.join(details)})" if details else self.module


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """All that one run measured. `arms` and `differences` are empty where only the tokenizer was inspected.

    `left_out` names the expensive probes that did not run, since the others agreed. `screen` is a sweep over a few pad
    counts on pieces of one text, which is part of every run; `sweep` the one over many counts, which is expensive.
    `precision` compares the errors of 16 bit with and without pads. `places` are the modules in which arms begin to
    differ. `settings` are the `MeasureSettings` that were not left at their defaults. `batch_size` is how many prompts
    were padded together, at most; with the `batch_sizes_too_large` memory ran out.
    """

    model: ModelFacts
    environment: Environment
    tokenizer: TokenizerFacts
    special_token_ids: SpecialTokenIds
    generation_config: dict[str, object]
    overridden: dict[str, object] = {}
    prompts: tuple[str, ...]
    num_prompt_tokens: tuple[int, ...]
    num_pad_tokens_in_prompts: int
    max_new_tokens: int
    batch_size: int | None = None
    batch_sizes_too_large: tuple[int, ...] = ()
    sampled: bool = False
    samples: dict[PaddingSide, Sample]
    load_warnings: tuple[str, ...] = ()
    labels_keep_eos: bool | None = None
    runs: dict[str, RunResult] = msgspec.field(default_factory=dict, name="arms")
    differences: dict[str, tuple[RowDifference, ...]] = {}
    left_out: tuple[str, ...] = ()
    noise: dict[str, NoiseProbe] = {}
    precision: tuple[PrecisionStep, ...] = ()
    screen: PadCountSweep | None = None
    sweep: PadCountSweep | None = None
    places: dict[str, Place] = {}
    settings: dict[str, object] = {}
