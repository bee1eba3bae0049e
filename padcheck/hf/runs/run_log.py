"""What one run gave, batch after batch: tensors come in, plain rows and differences are kept."""

from dataclasses import dataclass, field
from functools import partial

from transformers import PreTrainedTokenizerBase

from padcheck.core.run_plans import RunName, RunPlan
from padcheck.core.run_results import Row, RowDifference, RunResult
from padcheck.hf.runs.context import RunContext, Traces
from padcheck.hf.runs.differences import compare_rows
from padcheck.hf.tokenizer.encoding import build_row, token_text


@dataclass
class RunLog:
    """What one run gave so far.

    Attributes:
        plan: What the run is for.
        reference: The run that it is compared with.
        dtype: The dtype that it ran in, if that is not the model's.
        rows: By prompt; a prompt that runs again replaces its row.
        differences: From the reference, by prompt.
        warnings: What the libraries said, each text once.
        error: What the run raised; it does not run again.
        refused: True if the error was raised before the model ran.
    """

    plan: RunPlan
    reference: RunName | None = None
    dtype: str | None = None
    rows: dict[int, Row] = field(default_factory=dict)
    differences: dict[int, RowDifference] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    error: str | None = None
    refused: bool = False

    def __post_init__(self) -> None:
        self.reference = self.reference or self.plan.reference

    def begin(self, context: RunContext) -> None:
        """Notes the dtype and the reference, which differ between the runs of a 16-bit model and those in float32."""
        self.dtype = "float32" if context.runtime.in_float32 else None
        self.reference = None if self.plan.reference is None else context.name_of(self.plan.reference)

    def say(self, messages: list[str]) -> None:
        """Adds warnings."""
        self.warnings += [message for message in messages if message not in self.warnings]

    def keep(self, tokenizer: PreTrainedTokenizerBase, traces: Traces, references: Traces) -> None:
        """Keeps the rows and their differences from the reference; two stand-ins of one kind are not compared."""
        for index, trace in traces.items():
            self.rows[index] = build_row(
                tokenizer,
                index,
                trace.padded,
                generated_ids=trace.generated_ids,
                position_ids=trace.position_ids,
                positions_used=trace.positions_used,
                positions_used_by=trace.positions_used_by,
                non_finite_logits=sum(int((block.isnan() | block.isposinf()).sum()) for block in trace.logits.blocks()),
                stand_in=trace.stand_in,
            )
            reference = references.get(index)
            if reference is None or (trace.stand_in is not None and trace.stand_in == reference.stand_in):
                continue
            self.differences[index] = compare_rows(
                reference, trace, prompt_index=index, token_text=partial(token_text, tokenizer)
            )

    def evidence(self) -> RunResult:
        """The result of the run, its rows in the order of the prompts."""
        rows = tuple(self.rows[index] for index in sorted(self.rows))
        return RunResult(
            description=self.plan.description,
            reference=self.reference,
            dtype=self.dtype,
            padding_side=self.plan.padding_side,
            warnings=tuple(self.warnings),
            rows=rows,
            error=self.error,
            refused=self.refused,
            stand_in=next((row.stand_in for row in rows if row.stand_in is not None), None),
        )

    def all_differences(self) -> tuple[RowDifference, ...]:
        """The differences in the order of the prompts."""
        return tuple(self.differences[index] for index in sorted(self.differences))
