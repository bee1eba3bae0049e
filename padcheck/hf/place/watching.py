"""Records what a model's modules receive and return for one prompt, with hooks that are removed afterwards."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel

from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls.batches import Rows
from padcheck.hf.calls.generation import generate
from padcheck.hf.place.row_values import RealTokens, Values

VisitKey = tuple[bool, str, int]
"""`in_first_call`, `name` and `number` of a visit."""


@dataclass(frozen=True)
class Watched:
    """One way of running a prompt, and the forward() call of the model that is looked at.

    Attributes:
        run: Calls the model one or several times.
        call: The index of the call that is looked at, from 0.
        row: The prompt's row in the batch.
        mask: The row's attention mask over the prompt, and over the new tokens up to this call if it is a later call
            of generate(). If the call has fewer columns, as with a cache, they are the last ones of the mask.
    """

    run: Callable[[], object]
    call: int
    row: int
    mask: tuple[int, ...]

    def at(self, call: int) -> "Watched":
        """The same run, looked at in an earlier call."""
        return replace(self, call=call, mask=self.mask[: len(self.mask) - (self.call - call)])


@dataclass(frozen=True)
class Visit:
    """One call of one module.

    Attributes:
        name: The dotted name of the module; empty for the model itself.
        number: The number of earlier calls of this module in the same forward() call of the model.
        in_first_call: True in the first forward() call of the model, if a later one is looked at.
        inputs: What the module receives, before its own hooks.
        outputs: What the module returns, after its own hooks.
    """

    name: str
    number: int
    in_first_call: bool
    inputs: Values
    outputs: Values

    @property
    def key(self) -> VisitKey:
        """Identifies the same visit in another run."""
        return self.in_first_call, self.name, self.number


def watched_generate(
    model: PreTrainedModel,
    rows: Rows,
    row: int,
    step: int,
    settings: MeasureSettings,
    *,
    with_cache: bool = True,
    forced: Mapping[int, tuple[int, ...]] | None = None,
) -> Watched:
    """Watches generate() in the forward() call that gives the new token `step`, from 0.

    The other arguments are those of `generate`. When this runs, the model must be in eval mode, under
    `neutral_generation_config`.
    """
    _, padded = rows[row]
    return Watched(
        run=partial(
            generate,
            model,
            rows,
            settings,
            max_new_tokens=step + 1,
            with_cache=with_cache,
            forced=forced,
        ),
        call=step,
        row=row,
        mask=padded.attention_mask + (1,) * step,
    )


def watch(model: nn.Module, names: Iterable[str], watched: Watched, on_visit: Callable[[Visit], None]) -> None:
    """Runs once, and passes each visit of these modules to `on_visit` when it ends.

    If a later forward() call of the model is looked at, visits in the first call are passed too, with integers and
    rotations only. They show how positions were counted before.

    Raises:
        Exception: Any error that the run raises.
    """
    listener = _Listener(watched, on_visit)
    with ExitStack() as stack:
        for name in names:
            module = model.get_submodule(name)
            # Outside of all other hooks: for a caller they are part of the module.
            enter, leave = partial(listener.enter, name), partial(listener.leave, name)
            stack.callback(module.register_forward_pre_hook(enter, prepend=True, with_kwargs=True).remove)
            stack.callback(module.register_forward_hook(leave).remove)
        begin = model.register_forward_pre_hook(listener.begin, prepend=True, with_kwargs=True)
        stack.callback(begin.remove)
        watched.run()


def called_modules(model: nn.Module, watched: Watched) -> set[nn.Module]:
    """The modules whose forward() a run calls, so no containers and no modules of which only a weight is used."""
    called: set[nn.Module] = set()
    with ExitStack() as stack:
        for module in model.modules():
            stack.callback(module.register_forward_pre_hook(lambda module, _args: called.add(module)).remove)
        watched.run()
    return called


class _Listener:
    """The hooks: makes a visit of each call of a module in the forward() call that is looked at, and in the first."""

    def __init__(self, watched: Watched, on_visit: Callable[[Visit], None]) -> None:
        self._watched = watched
        self._on_visit = on_visit
        self._call = -1
        self._tokens: RealTokens | None = None
        self._entered: defaultdict[str, list[Values]] = defaultdict(list)
        self._left: Counter[str] = Counter()

    @property
    def _in_first_call(self) -> bool:
        return self._call < self._watched.call

    def begin(self, _model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._call += 1
        self._left.clear()
        self._tokens = None
        if self._call in (0, self._watched.call):
            self._tokens = _real_tokens(self._watched.at(self._call), args, kwargs)

    def enter(self, name: str, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._tokens is not None:
            # A stack, since a module may be called inside another call of itself.
            self._entered[name].append(self._values(dict(enumerate(args)) | kwargs))

    def leave(self, name: str, _module: nn.Module, _args: tuple[Any, ...], output: object) -> None:
        if self._tokens is not None and self._entered[name]:
            inputs, outputs = self._entered[name].pop(), self._values(output)
            self._on_visit(Visit(name, self._left[name], self._in_first_call, inputs, outputs))
            self._left[name] += 1

    def _values(self, structure: object) -> Values:
        values = self._tokens.values(structure) if self._tokens is not None else {}
        if not self._in_first_call:
            return values
        return {path: tensor for path, tensor in values.items() if not tensor.is_floating_point()}


def _real_tokens(watched: Watched, args: tuple[Any, ...], kwargs: dict[str, Any]) -> RealTokens | None:
    """The prompt's real tokens in this call; None if its columns are unknown, or more than the mask has."""
    given = [*args[:1], kwargs.get("input_ids"), kwargs.get("inputs_embeds")]
    tokens = next((tensor for tensor in given if isinstance(tensor, torch.Tensor)), None)
    if tokens is None or tokens.dim() < 2 or tokens.shape[1] > len(watched.mask):  # noqa: PLR2004
        return None
    rows, columns = tokens.shape[:2]
    entered = watched.mask[len(watched.mask) - columns :]
    return RealTokens(rows, columns, watched.row, tuple(column for column, real in enumerate(entered) if real))
