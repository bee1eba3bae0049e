"""Scoring: the log-likelihood of each token of a text, or of a continuation, as evaluation harnesses compute it."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from padcheck.core.errors import UsageError
from padcheck.core.padding import PaddedIds
from padcheck.core.task_evidence import Choice
from padcheck.core.task_plans import TaskRunName
from padcheck.hf.calls.batches import Rows
from padcheck.hf.tasks.call import Way, call
from padcheck.hf.tasks.reading import Reading, largest_difference
from padcheck.hf.tokenizer.encoding import PromptTexts, encode

_TOKENS = "tokens"


class Scored(NamedTuple):
    """A text, and the number of its first token that is scored: 1 for a whole text, since nothing comes before 0."""

    input_ids: tuple[int, ...]
    first: int
    choice: Choice


def scored_texts(
    tokenizer: PreTrainedTokenizerBase,
    prompts: PromptTexts,
    encoded: tuple[tuple[int, ...], ...],
    choices: tuple[tuple[str, ...], ...],
) -> list[Scored]:
    """The texts to score: each prompt with each of its choices, or the prompt itself if it has none.

    A prompt and a choice are encoded together. The choice begins after as many tokens as the prompt alone has, as in
    lm-evaluation-harness. A text of one token without choices has no token to score, and is left out.

    Raises:
        UsageError: A choice is empty, or adds no token.
    """
    found = []
    for index, (text, input_ids) in enumerate(zip(prompts.texts, encoded, strict=True)):
        own = choices[index] if index < len(choices) else ()
        if not own and len(input_ids) > 1:
            found.append(Scored(input_ids, 1, Choice(prompt_index=index, text=None)))
        for choice in own:
            together = encode(tokenizer, text + choice, add_special_tokens=prompts.add_special_tokens)
            if len(together) <= len(input_ids):
                raise UsageError(
                    f"The choice {choice!r} of prompt {index} adds no token.",
                    meaning="It is empty, or the tokenizer joins it with the end of the prompt.",
                    change="Give a choice with text, usually beginning with a space.",
                )
            found.append(Scored(together, len(input_ids), Choice(prompt_index=index, text=choice)))
    return found


@dataclass(frozen=True)
class Scoring:
    """A language model that scores texts.

    Attributes:
        texts: What is scored, by the index that its rows have.
        two_sided: Whether prompts are also padded on the left and their choices on the right, in one row.
    """

    texts: tuple[Scored, ...]
    two_sided: bool = False

    numbers = "token log-likelihoods"
    finds_columns = False
    distance = staticmethod(largest_difference)

    @property
    def runs(self) -> tuple[TaskRunName, ...]:
        """Prompt and choice padded on different sides, as preference training does."""
        return ("two_sided", "two_sided_positions") if self.two_sided else ()

    def part(self, model: PreTrainedModel) -> PreTrainedModel:
        """The whole model."""
        return model

    def run(self, model: PreTrainedModel, rows: Rows, way: Way) -> torch.Tensor:
        """The log-likelihood of each real token after the first, given those before it; 0 after the last.

        Shape (batch, width - 1). Only one row at a time is turned into probabilities, since a vocabulary is large.
        """
        logits = call(model, rows, way).logits  # (batch, width, vocab_size)
        width = logits.shape[1]
        found = torch.zeros(len(rows), width - 1)
        for row, (index, padded) in enumerate(rows):
            # The last ones: if the mask is broken on purpose, the pads before the text count as real.
            columns = [column for column, real in enumerate(padded.attention_mask) if real][-self._length(index) :]
            ids = torch.tensor([padded.input_ids[column] for column in columns[1:]], device=logits.device)
            log_p = logits[row, columns[:-1]].float().log_softmax(dim=-1)  # (tokens - 1, vocab_size)
            found[row, : len(ids)] = log_p.gather(1, ids[:, None])[:, 0].cpu()
        return found

    def reading(self, _model: PreTrainedModel, row: tuple[int, PaddedIds], values: torch.Tensor, _way: Way) -> Reading:
        """The log-likelihood of each token that is scored."""
        index, _ = row
        return Reading({_TOKENS: values[self.texts[index].first - 1 : self._length(index) - 1]})

    def shown(self, _model: PreTrainedModel, reading: Reading, _reference: Reading | None) -> dict[str, float]:
        """Their sum, and the perplexity."""
        return shown_scores(reading.parts[_TOKENS])

    def conclude(self, _model: PreTrainedModel, _readings: dict[int, Reading]) -> dict[int, str | None]:
        """Nothing: the choices of a prompt may be in several batches, so they are ranked afterwards."""
        return {}

    def _length(self, index: int) -> int:
        return len(self.texts[index].input_ids)


def shown_scores(tokens: torch.Tensor) -> dict[str, float]:
    """The sum of the log-likelihoods of tokens, and their perplexity."""
    total = tokens.sum().item()
    perplexity = math.exp(min(-total / len(tokens), 700.0))  # beyond that a float overflows
    return {"log-likelihood": total, "perplexity": perplexity}
