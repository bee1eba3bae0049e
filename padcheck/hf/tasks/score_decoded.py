"""Scoring with an encoder-decoder model: the log-likelihood of a choice, which is decoded after an encoded prompt."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from padcheck.core.errors import UsageError
from padcheck.core.padding import PaddedIds
from padcheck.core.task_evidence import Choice
from padcheck.core.task_plans import TaskRunName
from padcheck.hf.calls.batches import Rows
from padcheck.hf.library.devices import input_device
from padcheck.hf.tasks.call import Way, call
from padcheck.hf.tasks.reading import Reading, largest_difference
from padcheck.hf.tasks.score import shown_scores
from padcheck.hf.tokenizer.encoding import PromptTexts, encode

_TOKENS = "tokens"
_IGNORED = -100
"""The label of a column that a loss leaves out."""


class Decoded(NamedTuple):
    """An encoded prompt, and the choice that the decoder scores after it."""

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    choice: Choice


def decoded_texts(
    tokenizer: PreTrainedTokenizerBase,
    prompts: PromptTexts,
    encoded: tuple[tuple[int, ...], ...],
    choices: tuple[tuple[str, ...], ...],
) -> list[Decoded]:
    """Each prompt with each of its choices. A choice gets no special tokens, as in lm-evaluation-harness.

    Raises:
        UsageError: No prompt has a choice, or a choice has no token.
    """
    found = []
    for index, of in enumerate(choices):
        for choice in of:
            labels = encode(tokenizer, choice, add_special_tokens=False)
            if not labels:
                raise UsageError(
                    f"The choice {choice!r} of prompt {index} has no token.",
                    meaning="It is empty for this tokenizer.",
                    change="Give a choice with text.",
                )
            found.append(Decoded(encoded[index], labels, Choice(prompt_index=index, text=choice)))
    if not found:
        raise UsageError(
            "An encoder-decoder model scores what its decoder says after a prompt, and no prompt has a choice.",
            meaning=f"There are {len(prompts.texts)} prompts, which only the encoder reads.",
            change='Add --continuations FILE, or "choices" in the file of --prompts.',
        )
    return found


@dataclass(frozen=True)
class DecodedScoring:
    """An encoder-decoder model that scores choices. Prompts are padded for the encoder.

    Attributes:
        texts: What is scored, by the index that its rows have.
    """

    texts: tuple[Decoded, ...]

    numbers = "token log-likelihoods"
    runs: tuple[TaskRunName, ...] = ()
    finds_columns = False
    distance = staticmethod(largest_difference)

    def part(self, model: PreTrainedModel) -> PreTrainedModel:
        """The whole model."""
        return model

    def run(self, model: PreTrainedModel, rows: Rows, way: Way) -> torch.Tensor:
        """The log-likelihood of each token of the choices; 0 after the last. Shape (batch, longest choice).

        The choices are padded on the right as labels are, and the model makes its decoder's inputs of them.
        """
        wanted = [self.texts[index].labels for index, _ in rows]
        width = max(map(len, wanted))
        padded = [(*ids, *(_IGNORED,) * (width - len(ids))) for ids in wanted]
        labels = torch.tensor(padded, device=input_device(model))  # (batch, width)
        logits = call(model, rows, way, labels=labels).logits  # (batch, width, vocab_size)
        log_p = logits.float().log_softmax(dim=-1)
        labels = labels.to(log_p.device)
        of_labels: torch.Tensor = log_p.gather(2, labels.clamp_min(0)[..., None])[..., 0]
        return of_labels.masked_fill(labels == _IGNORED, 0.0)

    def reading(self, _model: PreTrainedModel, row: tuple[int, PaddedIds], values: torch.Tensor, _way: Way) -> Reading:
        """The log-likelihood of each token of the choice."""
        index, _ = row
        return Reading({_TOKENS: values[: len(self.texts[index].labels)]})

    def shown(self, _model: PreTrainedModel, reading: Reading, _reference: Reading | None) -> dict[str, float]:
        """Their sum, and the perplexity."""
        return shown_scores(reading.parts[_TOKENS])

    def conclude(self, _model: PreTrainedModel, _readings: dict[int, Reading]) -> dict[int, str | None]:
        """Nothing: the choices of a prompt may be in several batches, so they are ranked afterwards."""
        return {}
