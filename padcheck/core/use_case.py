"""What a caller does with a model: the task, and the side on which the caller's code pads."""

from typing import Literal

import msgspec

from padcheck.core.facts import PaddingSide
from padcheck.core.run_plans import RunName

Task = Literal["generate", "score", "train", "classify", "embed"]

HEADS: tuple[Task, ...] = ("classify", "embed")
"""The tasks that load a model without a language model's head: it generates nothing, and only the task itself runs."""


class UseCase(msgspec.Struct, frozen=True, kw_only=True):
    """What the verdict is about.

    Attributes:
        task: None if every task counts.
        padding_side: None if both sides count.
    """

    task: Task | None = None
    padding_side: PaddingSide | None = None

    @property
    def run(self) -> RunName:
        """The run of a language model that decides the verdict.

        Without a task it is a generating run. Without a side it is the usual one: left for generating, right otherwise.
        """
        if self.task in (None, "generate"):
            return self.padding_side or "left"
        return "left_forward_positions" if self.padding_side == "left" else "right_forward"

    def pads(self, side: PaddingSide | None) -> bool:
        """False if the caller's code never pads on this side."""
        return side is None or self.padding_side in (None, side)

    def __str__(self) -> str:
        names = {
            "generate": "generating",
            "score": "scoring",
            "train": "training",
            "classify": "classifying",
            "embed": "embedding",
        }
        task = "any task" if self.task is None else names[self.task]
        return task if self.padding_side is None else f"{task} with padding on the {self.padding_side}"
