"""Follows what the user's code does with a model's output, and finds values that depend on pads.

Each output of a padded batch has a twin with other numbers at the pads. Each operation of the user's code runs on
both. A value with a column for each token may differ at the pads: that is what pads are for. A value without such
columns must not: the code has read a pad, or summed over pads. It is reported when the value leaves the tensors (as a
number, a text, a gradient or the next input of a model), so a value that the code masks later is silent.
"""

import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch.overrides import TorchFunctionMode, _get_current_function_mode

from padcheck.core.faults import CodePlace
from padcheck.hf.library.untouched import same_random_numbers
from padcheck.watching.followed import Batch, Followed, Origin, distance, tensors_in
from padcheck.watching.layout import Layout
from padcheck.watching.makers import SideChange
from padcheck.watching.means import Means
from padcheck.watching.places import user_place
from padcheck.watching.slots import NO_SLOT, Operation, compact, dimensions, is_one_column, slots_after

_LEAVES = {
    *("item", "tolist", "numpy", "__array__", "__repr__", "__str__", "__format__", "backward", "is_nonzero"),
    *("__bool__", "__int__", "__float__", "__index__", "__complex__", "allclose", "equal"),
}
"""Operations by which a value leaves the tensors."""

_NO_VALUE = {
    *("register_hook", "retain_grad", "requires_grad_", "register_post_accumulate_grad_hook", "__get__", "__set__"),
    *("size", "dim", "numel", "stride", "is_floating_point", "__len__", "element_size", "nelement", "get_device"),
}
"""Operations that make no new value. The twin has no gradients and needs none."""

_TENSOR_PROPERTIES = {"T", "mT", "H", "mH", "data", "real"}
_RANDOM = {"multinomial", "bernoulli", "dropout", "rand_like", "randn_like", "normal", "gumbel_softmax"}
_LOSSES = {"cross_entropy", "nll_loss", "binary_cross_entropy_with_logits", "mse_loss", "kl_div"}
_TOKEN_LOSSES = {"cross_entropy", "nll_loss", "log_softmax", "logsumexp"}
"""Operations that compute a loss for each token, or the log-likelihoods that it is read from."""


class ResultReader(TorchFunctionMode):
    """Follows the outputs that `follow` gets. It is active in the user's code, and paused inside a model."""

    def __init__(self, report: Callable[[Origin], None], means: Means) -> None:
        """Prepares to follow. `report` gets the origin of each value that depends on pads and leaves the tensors."""
        super().__init__()
        self._means = means
        self._report = report
        self._known: dict[int, tuple[weakref.ref[torch.Tensor], Followed]] = {}
        self._pending: dict[tuple[CodePlace | None, int], Origin] = {}
        self._read: dict[tuple[CodePlace | None, int], set[int]] = {}
        self._is_paused = False
        self._thread = 0

    def __enter__(self) -> "ResultReader":
        self._thread = threading.get_ident()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def follow(self, output: Any, layout: Layout, model: str, change: SideChange | None = None) -> None:
        """Follows the tensors of a model's output that have the columns of the batch."""
        if threading.get_ident() != self._thread:
            return
        for tensor in tensors_in(output):
            if tensor.shape[:2] == layout.real.shape and tensor.is_floating_point():
                batch = Batch(layout.real.flatten().to(tensor.device), layout.width, model, change)
                self._remember(tensor, Followed.output(tensor, batch))

    def leave(self, values: Any) -> None:
        """These values leave the tensors: they are the input of a model."""
        if threading.get_ident() != self._thread:
            return
        for tensor in tensors_in(values):
            self._leave(tensor)

    def flush(self) -> None:
        """Reports the pads that were read, unless the line read other columns of the same row too: it is a loop."""
        if threading.get_ident() != self._thread:
            return
        for key, origin in self._pending.items():
            if is_one_column(torch.tensor(sorted(self._read[key])), origin.batch.width):
                self._report(origin)
        self._pending, self._read = {}, {}

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Within the context nothing is followed."""
        if threading.get_ident() != self._thread:  # only one thread is followed, and it may be inside its own code
            yield
            return
        before, self._is_paused = self._is_paused, True
        is_on_top = _get_current_function_mode() is self  # type: ignore[no-untyped-call]
        if is_on_top:  # then the model's operations do not even pass here
            self.__exit__(None, None, None)  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            if is_on_top:
                self.__enter__()
            self._is_paused = before

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Runs an operation, and runs it on the twins too if one of its arguments is followed."""
        kwargs = kwargs or {}
        if self._is_paused:
            return func(*args, **kwargs)
        result = self._run(func, args, kwargs)
        if self._means.concerns(args):
            self._means.after(Operation(func, getattr(func, "__name__", ""), args, kwargs), result)
        return result

    def _run(self, func: Any, args: Any, kwargs: Any) -> Any:
        if not self._known:
            return func(*args, **kwargs)
        found = [tensor for tensor in tensors_in((args, kwargs)) if self._get(tensor) is not None]
        name = getattr(func, "__name__", "")
        if not found or (name in _NO_VALUE and not _is_tensor_property(func)):
            return func(*args, **kwargs)
        if name in _LEAVES:
            for tensor in found:
                self._leave(tensor)
            return func(*args, **kwargs)
        return self._run_both(Operation(func, name, args, kwargs), found)

    def _run_both(self, operation: Operation, found: list[torch.Tensor]) -> Any:
        """The result of the operation. It is followed from now on, and so is a tensor that the operation writes to."""
        source = self._followed(found[0])
        batch = source.batch
        is_loss = operation.name in _TOKEN_LOSSES or any(self._followed(tensor).is_loss for tensor in found)
        inherited = next((origin for tensor in found if (origin := self._followed(tensor).origin)), None)
        target = operation.args[0] if operation.writes else None
        if target is not None and self._get(target) is None:
            slots = torch.full(target.shape, NO_SLOT, device=target.device)
            self._remember(target, Followed(batch, slots, target.detach().clone()))
        try:
            with torch.no_grad(), same_random_numbers() if operation.name in _RANDOM else nullcontext():
                twins = list(tensors_in(self._on_twins(operation)))
                all_slots = [] if target is not None else self._slots(operation, twins, batch.width)
        except Exception:  # noqa: BLE001  the operation itself fails too, or it cannot be followed
            self._forget(found)
            return operation.run()
        result = operation.run()
        if target is not None:
            self._written(operation, inherited)
        for tensor, twin, slots_of in zip(tensors_in(result), twins, all_slots, strict=False):
            if slots_of is not None and self._get(tensor) is None and slots_of.shape == tensor.shape:
                followed = Followed(batch, slots_of, twin)
                followed.is_loss = is_loss
                followed.origin = _origin(tensor, followed, operation.name, inherited)
                self._remember(tensor, followed)
                if is_loss:
                    self._means.follow_own(operation, tensor)
                if is_one_column(slots_of, batch.width) and not is_one_column(source.slots, batch.width):
                    key = user_place(directly=True), id(batch.real)
                    self._read.setdefault(key, set()).update(compact(slots_of).flatten().tolist())
        return result

    def _on_twins(self, operation: Operation) -> Any:
        """The operation on the twins. A mean leaves out the pads, so that one over the padded width differs."""
        if operation.name == "mean" and operation.args and (followed := self._get(operation.args[0])) is not None:
            return _mean_over_text(operation, followed)
        return operation.func(*_mapped(operation.args, self._twin), **_mapped(operation.kwargs, self._twin))

    def _twin(self, tensor: torch.Tensor) -> torch.Tensor:
        followed = self._get(tensor)
        return tensor.detach() if followed is None else followed.twin_of(tensor)

    def _slots(self, operation: Operation, results: list[torch.Tensor], width: int) -> list[torch.Tensor | None]:
        """The slots of each tensor of the result."""
        return [
            slots_after(operation, self._slots_of, result, number, width=width) for number, result in enumerate(results)
        ]

    def _slots_of(self, value: Any) -> torch.Tensor | None:
        followed = self._get(value) if isinstance(value, torch.Tensor) else None
        return None if followed is None else followed.slots

    def _written(self, operation: Operation, inherited: Origin | None) -> None:
        """The first argument was written to in place."""
        tensor = operation.args[0]
        target = self._followed(tensor)
        if operation.name == "__setitem__" and (slots := self._slots_of(operation.args[2])) is not None:
            target.slots = target.slots.clone(memory_format=torch.contiguous_format)
            target.slots[operation.args[1]] = slots
        target.origin = _origin(tensor, target, operation.name, inherited or target.origin)

    def _leave(self, tensor: torch.Tensor) -> None:
        followed = self._get(tensor)
        origin = None if followed is None else followed.origin
        if origin is None or origin.place is None:
            return
        key = origin.place, id(origin.batch.real)
        if origin.code == "PAD508" and key in self._read:
            self._pending.setdefault(key, origin)
        else:
            self._report(origin)

    def _remember(self, tensor: torch.Tensor, followed: Followed) -> None:
        key = id(tensor)
        self._known[key] = (weakref.ref(tensor, lambda _: self._known.pop(key, None)), followed)

    def _get(self, tensor: torch.Tensor) -> Followed | None:
        found = self._known.get(id(tensor))
        return found[1] if found is not None and found[0]() is tensor else None

    def _followed(self, tensor: torch.Tensor) -> Followed:
        return self._known[id(tensor)][1]

    def _forget(self, tensors: list[torch.Tensor]) -> None:
        for tensor in tensors:
            self._known.pop(id(tensor), None)


def _origin(tensor: torch.Tensor, followed: Followed, operation: str, inherited: Origin | None) -> Origin | None:
    """Where this value began to depend on pads; None if it does not, or if it has a column for each token."""
    differs, largest = distance(tensor, followed.twin_of(tensor))
    if not differs.any():
        return None
    if inherited is not None:
        return inherited
    batch, at_pads = followed.batch, followed.at_pads()
    if (differs & ~at_pads).any():
        code = "PAD510" if operation in _LOSSES else "PAD509"
        return Origin(code, user_place(directly=True), operation, largest, batch)
    if not is_one_column(followed.slots, batch.width):
        return None
    return Origin("PAD508", user_place(directly=True), operation, largest, batch)


def _mean_over_text(operation: Operation, followed: Followed) -> torch.Tensor:
    """The mean of the twin over the numbers that belong to no pad; the plain mean where all belong to pads."""
    tensor, *args = operation.args
    twin = followed.twin_of(tensor)
    plain: torch.Tensor = operation.func(twin, *args, **operation.kwargs)
    is_text = (~followed.at_pads()).to(plain.dtype)
    keepdim = operation.kwargs.get("keepdim", args[1] if len(args) > 1 else False)
    dims = dimensions(operation) or tuple(range(tensor.dim()))
    count = is_text.sum(dims, keepdim=keepdim)
    mean = (twin.to(plain.dtype) * is_text).sum(dims, keepdim=keepdim) / count.clamp(min=1)
    return torch.where(count > 0, mean, plain)


def _mapped(value: Any, change: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """The arguments with each tensor changed."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, dict):
        return {name: _mapped(each, change) for name, each in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_mapped(each, change) for each in value)
    return value


def _is_tensor_property(func: Any) -> bool:
    """True for a property that is a tensor, such as `.T`."""
    return getattr(getattr(func, "__self__", None), "__name__", "") in _TENSOR_PROPERTIES
