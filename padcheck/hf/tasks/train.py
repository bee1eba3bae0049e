"""Training: the loss of each text, and its gradient with respect to the embeddings of the text's tokens."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cosine_similarity, cross_entropy
from transformers import PreTrainedModel

from padcheck.core.padding import PaddedIds
from padcheck.core.task_evidence import COSINE, GRADIENT_AT_PADS, LOSS, TaskDifference
from padcheck.core.task_plans import TaskRunName
from padcheck.hf.calls.batches import Rows
from padcheck.hf.tasks.call import Way, call
from padcheck.hf.tasks.reading import Reading, share_of_norm

_GRADIENT = "gradient"


@dataclass(frozen=True)
class Training:
    """A language model that is trained on texts. The loss of a text is the mean over its tokens after the first.

    The gradient goes to the output of the embedding. It passes through the whole model, it says for each column how
    the loss depends on it, and it takes no memory for gradients of weights.

    Attributes:
        lengths: The length of each text in tokens, by the index that its rows have.
    """

    lengths: tuple[int, ...]

    numbers = "loss and gradient"
    runs: tuple[TaskRunName, ...] = ()
    finds_columns = False

    def part(self, model: PreTrainedModel) -> PreTrainedModel:
        """The whole model."""
        return model

    def run(self, model: PreTrainedModel, rows: Rows, way: Way) -> torch.Tensor:
        """The loss of each row, then the gradient of the sum of all losses with respect to each of its columns.

        Shape (batch, 1 + width * hidden_size). If rows do not depend on each other, it is the gradient of the row's own
        loss. A model that does not look up the ids in its input embedding has a hidden_size of 0 here.
        """
        with learning(model, []), _embedded(model) as leaves:
            logits = call(model, rows, replace(way, with_cache=False)).logits  # (batch, width, vocab_size)
            losses = torch.stack([self._loss(logits[number], row) for number, row in enumerate(rows)])
            shape = logits.shape[:2]
            found = [leaf for leaf in leaves if leaf.shape[:-1] in (shape, shape[::-1])]
            gradients = torch.autograd.grad(losses.sum(), found) if found else [logits.new_zeros(*shape, 0)]
        # A model with another layout has columns before rows.
        in_order = [each if each.shape[:2] == shape else each.transpose(0, 1) for each in gradients]
        gradient = torch.stack(in_order).float().sum(0)  # (batch, width, hidden_size)
        return torch.cat([losses.detach()[:, None].to(gradient.device), gradient.flatten(1)], dim=1)

    def reading(self, _model: PreTrainedModel, row: tuple[int, PaddedIds], values: torch.Tensor, _way: Way) -> Reading:
        """The loss, and the gradient at the tokens of the text, with the norm of that at pads: alone it is 0."""
        columns = self._columns(row)
        gradient = values[1:].view(len(row[1].input_ids), -1)
        pads = [column for column in range(len(gradient)) if column not in set(columns)]
        at_pads = gradient[pads].norm()[None]
        return Reading({LOSS: values[:1], _GRADIENT: torch.cat([gradient[columns].flatten(), at_pads])})

    def distance(self, reference: Reading, reading: Reading) -> TaskDifference:
        """The distance of the loss, or of the gradient if that is more, as a share of the size of the reference."""
        shares = [share_of_norm(reference.parts[name], reading.parts[name]) for name in reference.parts]
        far = None if None in shares else max(share or 0.0 for share in shares)
        return TaskDifference(max_abs_diff=far, scale=1.0)

    def shown(self, _model: PreTrainedModel, reading: Reading, reference: Reading | None) -> dict[str, float]:
        """The loss and the norm of the gradient; with a reference also the cosine, and the share at pads."""
        gradient = reading.parts[_GRADIENT]
        found = {LOSS: reading.parts[LOSS].item(), _GRADIENT: gradient.norm().item()}
        if reference is None:
            return found
        expected = reference.parts[_GRADIENT]
        found[COSINE] = cosine_similarity(gradient, expected, dim=0).item()
        if gradient[-1]:
            found[GRADIENT_AT_PADS] = (gradient[-1] / expected.norm()).item()
        return found

    def conclude(self, _model: PreTrainedModel, _readings: dict[int, Reading]) -> dict[int, str | None]:
        """Nothing."""
        return {}

    def _columns(self, row: tuple[int, PaddedIds]) -> list[int]:
        """The columns of the text: the last real ones, since a mask that is broken on purpose shows pads before it."""
        index, padded = row
        return [column for column, real in enumerate(padded.attention_mask) if real][-self.lengths[index] :]

    def _loss(self, logits: torch.Tensor, row: tuple[int, PaddedIds]) -> torch.Tensor:
        columns = self._columns(row)
        ids = [row[1].input_ids[column] for column in columns[1:]]
        labels = torch.tensor(ids, dtype=torch.long, device=logits.device)  # also of no ids
        return cross_entropy(logits[columns[:-1]].float(), labels, reduction="sum") / max(1, len(labels))


@contextmanager
def learning(model: nn.Module, chosen: list[nn.Parameter]) -> Iterator[None]:
    """Within the context graphs are made, and only the chosen parameters require a gradient.

    Afterwards all flags are as before. Callers use torch.autograd.grad(), which accumulates no gradient.
    """
    before = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    wanted = {id(parameter) for parameter in chosen}
    try:
        for parameter, _ in before:
            parameter.requires_grad_(id(parameter) in wanted)
        with torch.inference_mode(mode=False), torch.enable_grad():
            yield
    finally:
        for parameter, flag in before:
            parameter.requires_grad_(flag)


@contextmanager
def _embedded(model: PreTrainedModel) -> Iterator[list[torch.Tensor]]:
    """Within the context each output of the input embedding starts a graph, and is added to the list."""
    leaves: list[torch.Tensor] = []

    def cut(_module: nn.Module, _args: tuple[Any, ...], output: torch.Tensor) -> torch.Tensor:
        leaves.append(output.detach().clone().requires_grad_())
        # A leaf must not be changed in place, as some models do.
        return leaves[-1].clone()

    hook = model.get_input_embeddings().register_forward_hook(cut)
    try:
        yield leaves
    finally:
        hook.remove()
