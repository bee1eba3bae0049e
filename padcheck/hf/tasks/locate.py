"""The module in which a padded text of a task begins to differ from the same text alone."""

from functools import partial

from transformers import PreTrainedModel

from padcheck.core.evidence import Place
from padcheck.core.facts import PaddingSide
from padcheck.hf.calls.batches import Batch, Rows
from padcheck.hf.calls.capture import captured_warnings
from padcheck.hf.parallel.ranks import in_step
from padcheck.hf.place.first_module import find_place
from padcheck.hf.place.watching import Watched
from padcheck.hf.runs.noise import rounding_errors
from padcheck.hf.tasks.call import AS_USERS
from padcheck.hf.tasks.reading import Reader


def locate(reader: Reader, model: PreTrainedModel, batch: Batch, side: PaddingSide, index: int) -> Place | None:
    """The first module whose output for this text differs in the padded batch although its inputs agree.

    Returns:
        None if no module differs beyond rounding, or if the model does not run while it is watched.
    """
    rows = batch.padded(side)
    row = next(number for number, (other, _) in enumerate(rows) if other == index)
    [alone] = batch.only(index).alone()

    def watched(each: Rows, number: int) -> Watched:
        return Watched(partial(reader.run, model, each, AS_USERS), 0, number, each[number][1].attention_mask)

    perturbed = partial(rounding_errors, model)
    with captured_warnings():
        try:
            with in_step():
                return find_place(model, watched(alone, 0), watched(rows, row), perturbed, prompt_index=index)
        except Exception:  # noqa: BLE001  the verdict does not need the place
            return None
