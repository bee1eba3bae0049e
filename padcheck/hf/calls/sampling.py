"""Sampling with shared noise: a prompt's draw at a step uses the same random numbers in every run.

Gumbel-max trick (Maddison, Tarlow and Minka, 2014): the argmax of log-probabilities plus Gumbel noise is a draw from
their softmax. The noise depends only on the seed, the prompt and the step. Two runs whose distributions agree
therefore draw the same text, and different texts mean different distributions.
"""

import torch
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from padcheck.core.settings import MeasureSettings

_LARGE_PRIME = 1_000_003
"""Mixes seed, prompt index and step into one seed."""


class SharedGumbelNoise(LogitsProcessor):
    """Adds the noise of each row's prompt at the current step; the argmax that greedy decoding takes is then a draw."""

    def __init__(self, prompt_indices: list[int], prompt_width: int, seed: int) -> None:
        self._prompt_indices = prompt_indices
        self._prompt_width = prompt_width
        self._seed = seed

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """Log-probabilities plus noise, (batch, vocab_size)."""
        step = input_ids.shape[1] - self._prompt_width
        noise = torch.stack([self._noise(index, step, scores.shape[1]) for index in self._prompt_indices])
        return torch.log_softmax(scores.float(), dim=-1) + noise.to(scores.device)  # type: ignore[return-value]

    def _noise(self, prompt_index: int, step: int, vocab_size: int) -> torch.Tensor:
        # The CPU generator gives the same numbers on every machine.
        seed = (self._seed * _LARGE_PRIME + prompt_index) * _LARGE_PRIME + step
        generator = torch.Generator().manual_seed(seed % 2**63)
        uniform = torch.rand(vocab_size, generator=generator, dtype=torch.float64).clamp_min_(1e-300)
        return (-torch.log(-torch.log(uniform))).float()  # (vocab_size,)


def logits_processors(settings: MeasureSettings, prompt_indices: list[int], prompt_width: int) -> LogitsProcessorList:
    """The processors that turn logits into scores: none if greedy, otherwise transformers' warpers and shared noise."""
    processors = LogitsProcessorList()
    if not settings.do_sample:
        return processors
    if settings.temperature != 1.0:
        processors.append(TemperatureLogitsWarper(settings.temperature))
    if settings.top_k is not None:
        processors.append(TopKLogitsWarper(settings.top_k))
    if settings.top_p is not None:
        processors.append(TopPLogitsWarper(settings.top_p))
    processors.append(SharedGumbelNoise(prompt_indices, prompt_width, settings.seed))
    return processors
