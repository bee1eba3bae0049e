"""Measures training: loss and gradient of each text, and one step on a batch."""

from msgspec.structs import replace
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from padcheck.core.progress import Progress
from padcheck.core.settings import MeasureSettings
from padcheck.hf.library.exceptions import is_out_of_memory
from padcheck.hf.parallel.ranks import in_step
from padcheck.hf.runs.in_batches import Encoded, batches_of, evaluating, in_groups
from padcheck.hf.runs.recorder import OutOfMemoryError
from padcheck.hf.tasks.measuring import TaskMeasured, measure_task
from padcheck.hf.tasks.step import measure_step
from padcheck.hf.tasks.train import Training
from padcheck.hf.tokenizer.pad_tokens import PadToken


def measure_training(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    encoded: Encoded,
    pad_token: PadToken,
    *,
    settings: MeasureSettings,
    progress: Progress,
) -> TaskMeasured:
    """The runs of the task on all texts, and the steps on the first batch. The model is left as it was found.

    Args:
        model: A language model.
        tokenizer: Its tokenizer.
        encoded: The token ids of each text. In training, eos ends a text; it is added if the tokenizer has one.
        pad_token: The token to pad with.
        settings: How to run it.
        progress: Receives the stages.

    Raises:
        OutOfMemoryError: Memory ran out.
    """
    eos_id = tokenizer.eos_token_id
    texts = tuple(ids if eos_id is None or ids[-1] == eos_id else (*ids, eos_id) for ids in encoded)
    try:
        reader = Training(tuple(map(len, texts)))
        found = measure_task(model, tokenizer, texts, pad_token, reader=reader, settings=settings, progress=progress)
        first = next(in_groups(texts, found.batch_size or len(texts)))
        [batch] = batches_of(model, [first], pad_token, settings.seed)
        with progress.stage("running a training step", "step"), evaluating(model), in_step():
            runs, sampled = measure_step(model, tokenizer, batch, pad_token)
    except Exception as error:
        if isinstance(error, OutOfMemoryError) or is_out_of_memory(error):
            raise OutOfMemoryError(
                f"Memory ran out in a training step: {error.__cause__ or error}",
                meaning="The activations of all layers, which backward() needs, do not fit.",
                change="Use a smaller --batch-size, shorter prompts, --dtype bfloat16 or --tiny, or leave out "
                "--task train.",
            ) from error
        raise
    return TaskMeasured(replace(found.task, runs=found.task.runs | runs, sampled=sampled), found.places)
