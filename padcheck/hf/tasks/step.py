"""One step of training on a batch: loss and gradient, against those of the texts alone.

The model computes the loss itself, from labels that the usual collators make. The reference is computed here, from the
logits of each text alone: the mean of the cross entropy over all label tokens of the batch. Gradients are those of the
first and the last layer: that of the first layer passes through all others, and few weights need memory for gradients.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from itertools import chain
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import nn
from torch.nn.functional import cosine_similarity, cross_entropy
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from padcheck.core.task_evidence import (
    COSINE,
    GRADIENT_OFF,
    LABELS,
    LOSS,
    LOSS_NOT_SHIFTED,
    LOSS_SHIFTED_TWICE,
    TaskDifference,
    TaskRow,
    TaskRun,
)
from padcheck.core.task_plans import STEP_ALONE, STEPS, TASK_PLANS, TaskRunName
from padcheck.hf.calls.batches import Batch, Rows
from padcheck.hf.calls.capture import captured_warnings
from padcheck.hf.calls.generation import tensors
from padcheck.hf.float32.half_precision import HALF
from padcheck.hf.float32.view import in_float32
from padcheck.hf.library.exceptions import NotOpenError, error_text, is_out_of_memory
from padcheck.hf.parallel.ranks import in_step
from padcheck.hf.tasks.call import no_cache
from padcheck.hf.tasks.labels import IGNORED, Collated, collators, masked_by_mask
from padcheck.hf.tasks.reading import share_of_norm
from padcheck.hf.tasks.train import learning
from padcheck.hf.tokenizer.pad_tokens import PadToken

_SHIFTS = {LOSS_NOT_SHIFTED: 0, LOSS_SHIFTED_TWICE: 2}
"""What the loss would be if labels were shifted by another number of tokens than one."""


class _Step(NamedTuple):
    """What a step gives: its loss, the gradient (numbers,) in float32, how many labels count, and other numbers."""

    loss: float
    gradient: torch.Tensor
    labels: int
    others: Mapping[str, float] = MappingProxyType({})


class _Sum:
    """A sum of losses and of their gradients."""

    def __init__(self) -> None:
        self.loss = 0.0
        self.gradient = torch.zeros(0)

    def add(self, loss: torch.Tensor, gradient: torch.Tensor | None, divisor: float) -> None:
        """Adds a loss and its gradient, if it has one, each divided by this number."""
        self.loss += loss.item() / max(divisor, 1)
        if gradient is not None:
            self.gradient = gradient / divisor if not len(self.gradient) else self.gradient.add_(gradient / divisor)


def measure_step(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, batch: Batch, pad_token: PadToken
) -> tuple[dict[str, TaskRun], tuple[str, ...]]:
    """The steps on this batch, by name, and the modules whose weights their gradients belong to.

    A 16-bit model calculates in float32, if memory allows: a gradient rounds much more than logits.

    Args:
        model: In eval mode, so without dropout. It is left as it was found.
        tokenizer: Its tokenizer; temporarily it pads on the right, with the pad token.
        batch: The texts.
        pad_token: The token to pad with.

    Raises:
        Exception: Memory ran out in the model's own dtype.
    """
    if model.dtype in HALF:
        try:
            with in_float32(model, at_once="whole"):
                return _Steps(model, tokenizer, batch, pad_token, "float32").measure()
        except Exception as error:
            if not (isinstance(error, NotOpenError) or is_out_of_memory(error)):
                raise
    return _Steps(model, tokenizer, batch, pad_token, None).measure()


class _Steps:
    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        batch: Batch,
        pad_token: PadToken,
        dtype: str | None,
    ) -> None:
        self._model = model
        self._batch = batch
        self._dtype = dtype
        self._arguments = no_cache(model)
        self._collators = collators(model, tokenizer, batch, pad_token)
        self._known: list[tuple[Collated, _Step]] = []
        self._sampled: dict[str, nn.Module] = {}
        self._weights: list[nn.Parameter] = []

    def measure(self) -> tuple[dict[str, TaskRun], tuple[str, ...]]:
        """All steps. If the texts alone raise, only the reference has a run, with the error."""
        runs: dict[str, TaskRun] = {}
        found: dict[TaskRunName, _Step] = {}
        for name in STEPS:
            with captured_warnings() as warnings:
                error = None
                try:
                    with in_step():
                        found |= self._alone() if name == STEP_ALONE else {}
                        if name not in found:
                            found[name] = self._collated(name)
                except Exception as raised:
                    if is_out_of_memory(raised):
                        raise
                    error = error_text(raised)
            runs[name] = self._run(name, found.get(name), found.get(STEP_ALONE), error, tuple(warnings))
            if STEP_ALONE not in found:
                break
        return runs, tuple(self._sampled)

    def _alone(self) -> dict[TaskRunName, _Step]:
        """The texts alone, summed up with each token weighing the same, and with each text weighing the same."""
        texts = [rows for rows in self._batch.alone() if len(rows[0][1].input_ids) > 1]  # one token has no label
        self._sampled = self._sample(texts[0])
        weights = nn.ModuleList(self._sampled.values()).parameters()
        self._weights = [weight for weight in weights if weight.is_floating_point()]
        labels = sum(len(rows[0][1].input_ids) - 1 for rows in texts)
        by_token, by_row, shifted = _Sum(), _Sum(), {name: _Sum() for name in _SHIFTS}
        for rows in texts:
            input_ids, attention_mask = tensors(self._model, rows)
            with self._differentiated() as gradient_of:
                output = self._model(input_ids=input_ids, attention_mask=attention_mask, **self._arguments)
                logits = output.logits[0].float()
                loss = _summed(logits, input_ids[0], 1)
                gradient = gradient_of(loss)
            by_token.add(loss, gradient, labels)
            by_row.add(loss, gradient, len(texts) * (len(logits) - 1))
            for name, shift in _SHIFTS.items():
                number = labels + len(texts) * (1 - shift)
                shifted[name].add(_summed(logits.detach(), input_ids[0], shift), None, number)
        others = {name: total.loss for name, total in shifted.items()}
        return {
            STEP_ALONE: _Step(by_token.loss, by_token.gradient, labels, others),
            "step_rows": _Step(by_row.loss, by_row.gradient, labels),
        }

    def _sample(self, rows: Rows) -> dict[str, nn.Module]:
        """The first and the last layer of the longest list of layers that a text goes through, by name.

        The whole model if it has no such list.
        """
        lists = [
            [(f"{name}.{number}", layer) for number, layer in enumerate(module) if list(layer.parameters())]
            for name, module in self._model.named_modules()
            if isinstance(module, nn.ModuleList)
        ]
        called: set[nn.Module] = set()
        input_ids, attention_mask = tensors(self._model, rows)
        with ExitStack() as hooks, torch.no_grad():
            for _, layer in chain(*lists):
                hooks.callback(layer.register_forward_hook(lambda module, *_: called.add(module)).remove)
            self._model(input_ids=input_ids, attention_mask=attention_mask, **self._arguments)
        used = [[each for each in layers if each[1] in called] for layers in lists]
        layers = max(used, key=len, default=[])
        return dict((layers[0], layers[-1])) if layers else {type(self._model).__name__: self._model}

    def _collated(self, name: TaskRunName) -> _Step:
        """The model's own loss of a batch that a collator made, or of two micro-batches. Equal batches run once."""
        if name not in self._collators:
            return self._accumulated(with_tokens=name == "step_accumulated_tokens")
        collated = self._collators[name]()
        for other, step in self._known:
            if all(torch.equal(collated[key], other[key]) for key in collated):
                return step
        step = self._own_loss(collated)
        self._known.append((collated, step))
        return step

    def _accumulated(self, *, with_tokens: bool) -> _Step:
        """Two micro-batches, each padded for itself: their losses averaged, or divided by the tokens of both."""
        indices = list(self._batch.prompts)
        halves = [self._batch.only(*half) for half in (indices[: len(indices) // 2], indices[len(indices) // 2 :])]
        halves = [replace(half, width=max(map(len, half.prompts.values()))) for half in halves]
        collated = [masked_by_mask(self._model, half.padded("right")) for half in halves]
        labels = sum(map(_count, collated))
        steps = [self._own_loss(each, {"num_items_in_batch": labels} if with_tokens else {}) for each in collated]
        share = 1 if with_tokens else len(steps)
        gradient = torch.stack([step.gradient for step in steps]).sum(0) / share
        return _Step(sum(step.loss for step in steps) / share, gradient, labels)

    def _own_loss(self, collated: Collated, arguments: dict[str, int] | None = None) -> _Step:
        with self._differentiated() as gradient_of:
            loss = self._model(**collated, **self._arguments, **(arguments or {})).loss
            gradient = gradient_of(loss)
        return _Step(loss.item(), gradient, _count(collated))

    @contextmanager
    def _differentiated(self) -> Iterator[Callable[[torch.Tensor], torch.Tensor]]:
        """Within the context the sampled weights require gradients; it yields what gives the gradient of a loss."""
        with learning(self._model, self._weights):
            yield partial(_gradient, weights=self._weights)

    def _run(
        self,
        name: TaskRunName,
        step: _Step | None,
        reference: _Step | None,
        error: str | None,
        warnings: tuple[str, ...],
    ) -> TaskRun:
        plan = TASK_PLANS[name]
        rows = () if step is None else (self._row(name, step, reference),)
        return TaskRun(
            description=plan.description,
            reference=plan.reference,
            dtype=self._dtype,
            padding_side=plan.padding_side,
            warnings=warnings,
            rows=rows,
            error=error,
        )

    def _row(self, name: TaskRunName, step: _Step, reference: _Step | None) -> TaskRow:
        lengths = list(map(len, self._batch.prompts.values()))
        pads = sum(self._batch.width - length for length in lengths) if TASK_PLANS[name].padding_side else 0
        numbers = {LOSS: step.loss, LABELS: float(step.labels), **step.others}
        difference = None
        if TASK_PLANS[name].reference is not None and reference is not None:
            far = share_of_norm(reference.gradient, step.gradient)
            shares = (share_of_norm(torch.tensor(reference.loss), torch.tensor(step.loss)), far)
            cosine = cosine_similarity(reference.gradient, step.gradient, dim=0).item()
            numbers |= {GRADIENT_OFF: float("nan") if far is None else far, COSINE: cosine}
            difference = TaskDifference(
                max_abs_diff=None if None in shares else max(share or 0.0 for share in shares), scale=1.0
            )
        return TaskRow(
            prompt_index=min(self._batch.prompts),
            num_pad_tokens=pads,
            num_tokens=sum(lengths),
            numbers={key: value if abs(value) < float("inf") else None for key, value in numbers.items()},
            difference=difference,
        )


def _summed(logits: torch.Tensor, ids: torch.Tensor, shift: int) -> torch.Tensor:
    """The cross entropy of the logits (width, vocab_size) with the ids this many columns later, summed up."""
    return cross_entropy(logits[: len(logits) - shift], ids[shift:].to(logits.device), reduction="sum")


def _count(collated: Collated) -> int:
    """How many labels count: no column predicts the first one of a row."""
    return int((collated["labels"][:, 1:] != IGNORED).sum())


def _gradient(loss: torch.Tensor, weights: list[nn.Parameter]) -> torch.Tensor:
    """The gradient of the loss with respect to the weights, one after another, (numbers,), in float32."""
    gradients = torch.autograd.grad(loss, weights, allow_unused=True)
    parts = [
        torch.zeros_like(weight) if gradient is None else gradient
        for weight, gradient in zip(weights, gradients, strict=True)
    ]
    return torch.cat([part.float().flatten().to(loss.device) for part in parts])
