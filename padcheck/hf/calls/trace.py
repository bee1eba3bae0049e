"""What is recorded of each row of one generate() or forward() call."""

from dataclasses import dataclass, replace

from padcheck.core.padding import PaddedIds
from padcheck.core.run_results import PositionsUsedBy
from padcheck.hf.calls.logits import Logits


@dataclass(frozen=True)
class RowTrace:
    """Tokens, logits and positions of one row.

    Attributes:
        padded: The padded prompt that was passed in.
        generated_ids: The new tokens, up to and including the first eos. After it generate() only adds pads.
        position_ids: What forward() received, one entry per column of prompt and new tokens; None for a column that
            got no position_ids.
        logits: Of each new token, before any processing.
        positions_used: What the model looked up, one entry per column; empty if it was not recorded.
        positions_used_by: What looked it up; None if unknown.
        stand_in: What ran in place of generate(); None if the run's own generate() or forward() ran.
    """

    padded: PaddedIds
    generated_ids: tuple[int, ...]
    position_ids: tuple[int | None, ...]
    logits: Logits
    positions_used: tuple[int | None, ...] = ()
    positions_used_by: PositionsUsedBy | None = None
    stand_in: str | None = None

    def first_step(self) -> "RowTrace":
        """The same row with its first new token only."""
        columns = len(self.padded.input_ids)
        return replace(
            self,
            generated_ids=self.generated_ids[:1],
            position_ids=(*self.position_ids[:columns], None),
            positions_used=(*self.positions_used[:columns], None) if self.positions_used else (),
            logits=self.logits.first(1),
        )
