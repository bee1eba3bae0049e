"""Runs the rows of a user's call again, alone and unpadded, and measures how far the user's batch differs from that.

A run leaves nothing behind: no gradients, the same random numbers, training flags and module attributes afterwards, and
the hooks of the user's own code do not see it.
"""

import inspect
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import nn
from transformers import PreTrainedModel

from padcheck.core.tolerances import least_tolerance
from padcheck.hf.calls.capture import captured_warnings
from padcheck.hf.calls.forwards import first_position, takes_position_ids
from padcheck.hf.calls.generation import neutral_generation_config
from padcheck.hf.library.devices import input_device
from padcheck.hf.library.untouched import same_random_numbers, untouched_state
from padcheck.hf.runs.noise import rounding_errors
from padcheck.watching.layout import Layout
from padcheck.watching.places import is_user_file

_MOST_ROWS = 4
"""How many rows of a batch run alone: those with the most pads."""

_REPEATS = 3
"""How often rounding is measured."""

_NOT_REPEATED = {
    *("labels", "past_key_values", "cache_position", "cache_params", "use_cache"),
    *("logits_to_keep", "num_logits_to_keep", "return_dict", "output_hidden_states", "output_attentions"),
    *("input_ids", "inputs_embeds", "attention_mask", "position_ids"),
}
"""The arguments of forward() that a run does not take over. The last ones are set by each run."""

_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


class Difference(NamedTuple):
    """How far a batch is from the same rows alone, in units of the output (logits or hidden states).

    Attributes:
        largest: The largest difference of two numbers; infinite if a number of the batch is not finite.
        scale: The largest absolute number of the rows alone.
        rows: The rows that were compared.
        changed: Of these rows, how many choose another first token.
    """

    largest: float
    scale: float
    rows: int
    changed: int = 0


class Shadow:
    """The runs of one model with the rows of one batch."""

    def __init__(self, model: PreTrainedModel, arguments: Mapping[str, Any]) -> None:
        """Prepares the runs.

        Args:
            model: The model that the user called.
            arguments: The arguments of the user's forward(), by name.
        """
        self._model = model
        self._arguments = {name: value for name, value in arguments.items() if name not in _NOT_REPEATED}
        self._alone: dict[int, torch.Tensor] = {}

    def forward(
        self,
        layout: Layout,
        mask: torch.Tensor | None,
        positions: torch.Tensor | None,
        pad_token_id: int | None = None,
    ) -> torch.Tensor:
        """The output of a batch: (batch, width, ...), or (batch, ...) if the model pools the columns.

        Args:
            layout: The batch.
            mask: Its attention mask.
            positions: Its positions.
            pad_token_id: Replaces the one in the model's config.
        """
        if pad_token_id is None:
            return self._output(layout.ids, self._arguments, mask, positions)
        with untouched_state(self._model):
            self._model.config.pad_token_id = pad_token_id
            return self._output(layout.ids, self._arguments, mask, positions)

    def alone(self, layout: Layout, row: int) -> torch.Tensor:
        """The output of one row without its pads, (number of tokens, ...) or (...) if the model pools the columns."""
        if row not in self._alone:
            self._alone[row] = self._run_alone(layout, row)
        return self._alone[row]

    def rounding(self, layout: Layout, row: int) -> float:
        """How far rounding alone moves the output of this row."""
        expected = self.alone(layout, row)
        largest = 0.0
        for seed in range(_REPEATS):
            with rounding_errors(self._model, seed):
                largest = max(largest, _largest(self._run_alone(layout, row) - expected))
        return largest

    def _run_alone(self, layout: Layout, row: int) -> torch.Tensor:
        arguments = {name: _of_row(value, layout, row) for name, value in self._arguments.items()}
        ids = layout.text(row)
        return self._output(ids, arguments, torch.ones_like(ids), None)[0]

    def _output(
        self,
        ids: torch.Tensor,
        arguments: Mapping[str, Any],
        mask: torch.Tensor | None,
        positions: torch.Tensor | None,
    ) -> torch.Tensor:
        device = input_device(self._model)
        given = {"attention_mask": mask, "position_ids": positions}
        tensors = {name: value.to(device) for name, value in given.items() if value is not None}
        no_cache = {"use_cache": False} if takes(self._model, "use_cache") else {}
        with quiet(self._model):
            output = self._model(ids.to(device), **tensors, **arguments, **no_cache, return_dict=True)
        return main_output(output)


class GenerateShadow(Shadow):
    """The same for generate(): its first step, which shows the batch as generate() prepares it."""

    def __init__(self, model: PreTrainedModel, pad_token_id: int | None) -> None:
        """Prepares the runs. Without `pad_token_id`, generate() cannot infer a mask."""
        super().__init__(model, {})
        self._pad_token_id = pad_token_id

    def _output(
        self,
        ids: torch.Tensor,
        arguments: Mapping[str, Any],  # noqa: ARG002  generate() makes them
        mask: torch.Tensor | None,
        positions: torch.Tensor | None,  # noqa: ARG002
    ) -> torch.Tensor:
        device = input_device(self._model)
        masks = {} if mask is None else {"attention_mask": mask.to(device)}
        once = {"max_new_tokens": 1, "output_logits": True, "return_dict_in_generate": True}
        with quiet(self._model), neutral_generation_config(self._model, self._pad_token_id):
            logits: torch.Tensor = self._model.generate(ids.to(device), **masks, **once).logits[0]
        return logits  # (batch, vocab_size)


def compare(shadow: Shadow, layout: Layout, output: torch.Tensor, rows: list[int]) -> Difference:
    """How far these rows of a batch are from the same rows alone, at the columns with text.

    Args:
        shadow: Runs the rows alone.
        layout: The batch.
        output: Its output, from `Shadow.forward` or from the user's call. It may have only the last columns.
        rows: The rows to compare.
    """
    largest, scale, changed = 0.0, 0.0, 0
    for row in rows:
        alone = shadow.alone(layout, row)
        batched = output[row].to(alone.device)
        if alone.dim() > 1:  # a column for each token
            real = layout.real[row][-len(batched) :].to(alone.device)
            batched = batched[real]
            alone = alone[len(alone) - len(batched) :]
        largest = max(largest, _largest(batched - alone))
        scale = max(scale, _largest(alone))
        changed += _last_choice(batched) != _last_choice(alone)
    return Difference(largest, scale, len(rows), changed)


def rows_to_compare(layout: Layout, mask: torch.Tensor | None) -> list[int]:
    """The known rows with pads or with a wrong mask, those with the most of both first."""
    counts = (~layout.real).sum(1)
    if mask is not None and mask.shape == layout.real.shape:
        counts = counts + (layout.real != (mask.cpu() != 0)).sum(1)
    rows = [row for row, count in enumerate(counts.tolist()) if count and layout.known[row] and layout.real[row].any()]
    return sorted(rows, key=lambda row: -int(counts[row]))[:_MOST_ROWS]


def _last_choice(output: torch.Tensor) -> int:
    """What the last row of numbers would choose: a token, or a class."""
    return int(output.reshape(-1, output.shape[-1])[-1].argmax())


def allowed(model: PreTrainedModel, scale: float, measured: float) -> float:
    """The largest difference that rounding explains in the dtype in which the model calculates."""
    dtype = model.dtype
    device = input_device(model).type
    if torch.is_autocast_enabled(device):
        dtype = torch.get_autocast_dtype(device)
    return least_tolerance(str(dtype).removeprefix("torch."))._replace(floor=measured).allowed(scale)


def right_positions(model: PreTrainedModel, layout: Layout) -> torch.Tensor | None:
    """The positions that count only text, (batch, width); None if the model takes none."""
    if not takes_position_ids(model):
        return None
    return (layout.real.long().cumsum(1) - 1).clamp(min=0) + first_position(model)


def main_output(output: Any) -> torch.Tensor:
    """The logits of a model's output; otherwise its hidden states, or the first tensor."""
    for name in ("logits", "last_hidden_state"):
        if isinstance(found := getattr(output, name, None), torch.Tensor):
            return found.detach()
    values = output.values() if isinstance(output, Mapping) else output
    first = next(value for value in values if isinstance(value, torch.Tensor))
    return first.detach()


def takes(model: PreTrainedModel, parameter: str) -> bool:
    """True if forward() has this parameter."""
    return parameter in inspect.signature(model.forward).parameters


@contextmanager
def quiet(model: PreTrainedModel) -> Iterator[None]:
    """Within the context the model is in eval mode, and everything is as before afterwards."""
    with torch.no_grad(), same_random_numbers(), untouched_state(model), captured_warnings():
        _remove_hooks_of_user(model)
        model.eval()
        yield


def _remove_hooks_of_user(model: nn.Module) -> None:
    """Removes them until `untouched_state` restores them: what a hook records must not grow."""
    for module in model.modules():
        for name in _HOOKS:
            hooks = getattr(module, name)
            for key in [key for key, hook in hooks.items() if _is_of_user(hook)]:
                del hooks[key]


def _is_of_user(hook: Any) -> bool:
    function = getattr(hook, "func", hook)  # of a functools.partial
    code = getattr(function, "__code__", None) or getattr(getattr(function, "__func__", None), "__code__", None)
    return code is None or is_user_file(code.co_filename)


def _of_row(value: Any, layout: Layout, row: int) -> Any:
    """An argument for one row without its pads."""
    if not isinstance(value, torch.Tensor) or not value.dim() or len(value) != len(layout.ids):
        return value
    if value.shape[1:2] == (layout.width,):
        return value[row][layout.real[row].to(value.device)][None]
    return value[row : row + 1]


def _largest(values: torch.Tensor) -> float:
    """The largest absolute number; infinite if one is not finite."""
    if not values.numel():
        return 0.0
    return float(values.detach().abs().nan_to_num(nan=math.inf, posinf=math.inf).max())
