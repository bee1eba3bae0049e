"""What a caller does with a model: the task, and the side its code pads on. Either may be left open."""

from typing import Literal

import msgspec

from padcheck.core.facts import PaddingSide
from padcheck.core.run_plans import RunName

Task = Literal["generate", "score", "train"]


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """What the verdict is about. Nothing of it is given by default: then all tasks and both sides count."""

    task: Task | None = None
    padding_side: PaddingSide | None = None

    @property
    def arm(self) -> RunName:
        """The arm that answers for it. Left open, generating and the side of the task: right, but for generating."""
        if self.task in (None, "generate"):
            return self.padding_side or "left"
        return "left_forward_positions" if self.padding_side == "left" else "right_forward"

    def pads(self, side: PaddingSide | None) -> bool:
        """False where its code never pads on that side."""
        return side is None or self.padding_side in (None, side)

    def __str__(self) -> str:
        task = {None: "any task", "generate": "generating", "score": "scoring", "train": "training"}[self.task]
        return task if self.padding_side is None else f"{task} with padding on the {self.padding_side}"
