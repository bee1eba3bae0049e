"""Watches what modules of a model receive and give for one prompt, through hooks that are removed again."""

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


@dataclass(frozen=True)
class Watched:
    """One way of running a prompt, and the forward() call of the model that is looked at.

    Attributes:
        run: Calls the model any number of times.
        call: Which of these calls is looked at, from 0.
        row: The prompt's row in the batch.
        mask: The row's attention mask over the prompt and, where the call is a later one of generate(), the new tokens
            up to this call. Of a call with fewer columns, as with a cache, the last ones are meant.
    """

    run: Callable[[], object]
    call: int
    row: int
    mask: tuple[int, ...]

    def at(self, call: int) -> "Watched":
        """The same run with an earlier call looked at."""
        return replace(self, call=call, mask=self.mask[: len(self.mask) - (self.call - call)])


@dataclass(frozen=True)
class Visit:
    """One call of one module.

    Attributes:
        name: The module's, dotted; empty for the model itself.
        number: How many calls of this module came before, in the same forward() call of the model.
        first: True in the first forward() call of the model, where a later one is looked at.
        inputs: Before any hook of the module.
        outputs: After all hooks of the module.
    """

    name: str
    number: int
    first: bool
    inputs: Values
    outputs: Values

    @property
    def key(self) -> VisitKey:
        """The same for the same visit in another run."""
        return self.first, self.name, self.number


def watched_generate(
    model: PreTrainedModel,
    rows: Rows,
    row: int,
    step: int,
    settings: MeasureSettings,
    *,
    with_mask: bool = True,
    with_cache: bool = True,
    forced: Mapping[int, tuple[int, ...]] | None = None,
) -> Watched:
    """generate() up to the forward() call that gives the new token `step`; the other arguments are those of generate().

    The model must be in eval mode and hold its neutral generation_config while it runs.
    """
    _, padded = rows[row]
    return Watched(
        run=partial(
            generate,
            model,
            rows,
            settings,
            max_new_tokens=step + 1,
            with_mask=with_mask,
            with_cache=with_cache,
            forced=forced,
        ),
        call=step,
        row=row,
        mask=padded.attention_mask + (1,) * step,
    )


def watch(model: nn.Module, names: Iterable[str], watched: Watched, on_visit: Callable[[Visit], None]) -> None:
    """Runs once and shows each visit of these modules when it ends.

    Of the first forward() call of the model, where it is not the one that is looked at, a visit has only integers and
    rotations: they tell how positions were counted before.

    Raises:
        Exception: What the run raises.
    """
    listener = _Listener(watched, on_visit)
    with ExitStack() as stack:
        for name in names:
            module = model.get_submodule(name)
            # Before and after the hooks of others, which are a part of the module for those who call it.
            enter, leave = partial(listener.enter, name), partial(listener.leave, name)
            stack.callback(module.register_forward_pre_hook(enter, prepend=True, with_kwargs=True).remove)
            stack.callback(module.register_forward_hook(leave).remove)
        begin = model.register_forward_pre_hook(listener.begin, prepend=True, with_kwargs=True)
        stack.callback(begin.remove)
        watched.run()


def called_modules(model: nn.Module, watched: Watched) -> set[nn.Module]:
    """The modules that a run calls: not containers, nor modules of which it uses only a method or a weight."""
    called: set[nn.Module] = set()
    with ExitStack() as stack:
        for module in model.modules():
            stack.callback(module.register_forward_pre_hook(lambda module, _args: called.add(module)).remove)
        watched.run()
    return called


class _Listener:
    def __init__(self, watched: Watched, on_visit: Callable[[Visit], None]) -> None:
        self._watched = watched
        self._on_visit = on_visit
        self._call = -1
        self._tokens: RealTokens | None = None
        self._entered: defaultdict[str, list[Values]] = defaultdict(list)
        self._left: Counter[str] = Counter()

    @property
    def _first(self) -> bool:
        return self._call < self._watched.call

    def begin(self, _model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._call += 1
        self._left.clear()
        self._tokens = None
        if self._call in (0, self._watched.call):
            self._tokens = _real_tokens(self._watched.at(self._call), args, kwargs)

    def enter(self, name: str, _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._tokens is not None:
            # A module may be inside another call of itself.
            self._entered[name].append(self._values(dict(enumerate(args)) | kwargs))

    def leave(self, name: str, _module: nn.Module, _args: tuple[Any, ...], output: object) -> None:
        if self._tokens is not None and self._entered[name]:
            inputs, outputs = self._entered[name].pop(), self._values(output)
            self._on_visit(Visit(name, self._left[name], self._first, inputs, outputs))
            self._left[name] += 1

    def _values(self, structure: object) -> Values:
        values = self._tokens.values(structure) if self._tokens is not None else {}
        if not self._first:
            return values
        return {path: tensor for path, tensor in values.items() if not tensor.is_floating_point()}


def _real_tokens(watched: Watched, args: tuple[Any, ...], kwargs: dict[str, Any]) -> RealTokens | None:
    """None where the call does not say what its columns are, or has more of them than the mask."""
    given = [*args[:1], kwargs.get("input_ids"), kwargs.get("inputs_embeds")]
    tokens = next((tensor for tensor in given if isinstance(tensor, torch.Tensor)), None)
    if tokens is None or tokens.dim() < 2 or tokens.shape[1] > len(watched.mask):  # noqa: PLR2004
        return None
    rows, columns = tokens.shape[:2]
    entered = watched.mask[len(watched.mask) - columns :]
    return RealTokens(rows, columns, watched.row, tuple(column for column, real in enumerate(entered) if real))
