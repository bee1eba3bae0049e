"""How each run of a task is executed: the calls that it makes, and how the rows enter forward()."""

from collections.abc import Callable
from typing import NamedTuple

from padcheck.core.task_plans import TaskRunName
from padcheck.hf.calls.batches import Batch, Rows, unpadded
from padcheck.hf.tasks.call import AS_USERS, Way

_COPIES = 2


class Execution(NamedTuple):
    """The calls of a run on a batch, and how they enter forward(). `with_pad_id` sets the config's pad id."""

    calls: Callable[[Batch], list[Rows]]
    way: Way = AS_USERS
    with_pad_id: bool = False


def _left(batch: Batch) -> list[Rows]:
    return [batch.padded("left")]


def _right(batch: Batch) -> list[Rows]:
    return [batch.padded("right")]


EXECUTIONS: dict[TaskRunName, Execution] = {
    "alone": Execution(Batch.alone),
    "left": Execution(_left),
    "right": Execution(_right),
    "copies": Execution(lambda batch: batch.copies(_COPIES)),
    "left_positions": Execution(_left, Way(with_positions=True)),
    "left_no_mask": Execution(_left, Way(with_mask=False)),
    "right_no_mask": Execution(_right, Way(with_mask=False)),
    "left_other_ids": Execution(lambda batch: [batch.scrambled("left")]),
    "right_other_ids": Execution(lambda batch: [batch.scrambled("right")]),
    "left_pad_id": Execution(_left, with_pad_id=True),
    "right_pad_id": Execution(_right, with_pad_id=True),
    "left_embeds": Execution(_left, Way(as_embeddings=True)),
    "right_embeds": Execution(_right, Way(as_embeddings=True)),
    "left_last_column": Execution(_left, Way(pooling="last_column")),
    "right_last_column": Execution(_right, Way(pooling="last_column")),
    "left_mask_sum": Execution(_left, Way(pooling="mask_sum")),
    "right_mask_sum": Execution(_right, Way(pooling="mask_sum")),
    "left_first_column": Execution(_left, Way(pooling="first_column")),
    "right_first_column": Execution(_right, Way(pooling="first_column")),
    "left_all_slots": Execution(_left, Way(pooling="all_slots")),
    "right_all_slots": Execution(_right, Way(pooling="all_slots")),
    "two_sided": Execution(lambda batch: [batch.two_sided()]),
    "two_sided_positions": Execution(lambda batch: [batch.two_sided()], Way(with_positions=True)),
    "broken_mask": Execution(lambda batch: [batch.mask_broken()]),
}
"""`ends_in_eos` is not in it: its texts are other ones."""


def with_eos(batch: Batch, eos_id: int) -> list[Rows]:
    """Each text alone, with eos at its end unless it has one."""
    texts = {index: ids if ids[-1] == eos_id else (*ids, eos_id) for index, ids in batch.prompts.items()}
    return [[(index, unpadded(ids))] for index, ids in texts.items()]
