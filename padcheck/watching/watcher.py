"""Receives the watched calls, remembers where the batches come from, and reports what is proven."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from multiprocessing import util
from typing import Any

import torch
from transformers import PreTrainedModel

from padcheck.core.faults import CodePlace, Fault
from padcheck.watching import arguments, decoding, labels, other_tokenizer, prompts
from padcheck.watching.caches import Caches
from padcheck.watching.checks import ModelCall, Proven, check_forward, check_generate, missing_embedding
from padcheck.watching.followed import Origin
from padcheck.watching.layout import Layout, hides_columns, layout_of, new_columns
from padcheck.watching.makers import Makers, by_library, change_of
from padcheck.watching.masks import padding_kind
from padcheck.watching.means import Means
from padcheck.watching.patches import patched
from padcheck.watching.places import is_user_file, user_place
from padcheck.watching.results import ResultReader
from padcheck.watching.rows import KnownRows
from padcheck.watching.seen import Seen
from padcheck.watching.shadow import main_output
from padcheck.watching.turns import Turns
from padcheck.watching.workers import WorkerRow, Workers

_CHECKS_PER_PLACE = 3

_Call = Callable[..., Any]

_RUNNING_A_CHECK = threading.local()
"""Set while padcheck itself runs a model in this thread. All watchers share it: one may run inside another."""


class Watcher:
    """Watches one program. Each method of `patches.Watching` runs the original call first and then looks at it.

    Nothing here raises into the user's program: what cannot be checked becomes a note.

    Attributes:
        seen: What was seen so far.
        dtypes: The dtypes of the models that were called.
    """

    def __init__(self, report: Callable[[Fault], None], workers: Workers, *, every_call: bool = False) -> None:
        """Prepares to watch.

        Args:
            report: Receives each fault, once for each code, line and rank.
            workers: The processes of the program.
            every_call: Check every call, and not only the first ones at each line.
        """
        self.dtypes: set[str] = set()
        self._every_call = every_call
        self._rows = KnownRows()
        self.seen = Seen(report, workers)
        self._workers = workers
        self._turns = Turns()
        self._caches = Caches()
        self._outputs = decoding.GeneratedRows()
        self._cut_texts = prompts.CutTexts()
        self._means = Means(self.seen.found)
        self._reader = ResultReader(self._value_left, self._means)
        self._makers = Makers()
        self._checked: Counter[CodePlace] = Counter()
        self._kinds: set[object] = set()
        self._state = threading.local()
        self._is_active = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Within the context all calls are watched, in every thread; results are followed in this one."""
        with ExitStack() as stack:
            stack.enter_context(patched(self))
            stack.enter_context(self._reader)
            stack.enter_context(self._means.collecting())
            util.register_after_fork(self._reader, _flush_at_exit)
            self._is_active = True
            try:
                yield
            finally:
                self._is_active = False
                with self._guarded("the last results"):
                    self._reader.flush()

    def tokenize(self, original: _Call, tokenizer: Any, args: Any, kwargs: Any) -> Any:
        """Remembers the rows that a tokenizer makes."""
        if not self._is_active or self._is_busy:
            return original(tokenizer, *args, **kwargs)
        with self._reader.paused(), self._inside("tokenizer") as is_outermost:
            encoded = original(tokenizer, *args, **kwargs)
        with self._guarded("a tokenizer's rows"):
            self.seen.count("tokenizer", is_outermost)
            pads = arguments.special_ids(tokenizer)
            self._rows.add_pad(*pads)
            self._cut_texts.add(encoded, tokenizer)
            for row, mask in arguments.rows_of(encoded):
                self._rows.add(row, mask)
                self._workers.share(WorkerRow(row, mask, pads))
                self._makers.add(row, tokenizer, side_is_given=kwargs.get("padding_side") is not None)
        return encoded

    def set_attribute(self, original: _Call, tokenizer: Any, args: Any, kwargs: Any) -> None:
        """Remembers who sets the padding side of a tokenizer."""
        if self._is_active and args and args[0] == "padding_side" and not self._is_busy:
            with self._guarded("the padding side"):
                self._makers.side_set(tokenizer, vars(tokenizer).get("padding_side"), args[1])
        original(tokenizer, *args, **kwargs)

    def decode(self, original: _Call, tokenizer: Any, args: Any, kwargs: Any) -> Any:
        """Looks at the rows that become text."""
        if not self._is_active or self._is_busy or self._depth("decode"):
            return original(tokenizer, *args, **kwargs)
        with self._inside("decode"):
            text = original(tokenizer, *args, **kwargs)
        with self._guarded("decoded rows"):
            for code, facts in decoding.faults(self._outputs, original, tokenizer, args, kwargs):
                self.seen.found(Proven(code, facts), user_place())
        return text

    def generate(self, original: _Call, model: Any, args: Any, kwargs: Any) -> Any:
        """Checks the batch that a model continues, and remembers the rows that it returns."""
        if not self._is_active or self._is_busy or self._depth("model"):
            return original(model, *args, **kwargs)
        self._before_model((args, kwargs))
        named = arguments.of_generate(args, kwargs)
        with self._calling("generate", model, named):
            output = original(model, *args, **kwargs)
        with self._guarded("generate()"), self._busy():
            self._after_generate(model, named, output)
        return output

    def forward(self, original: _Call, model: Any, args: Any, kwargs: Any) -> Any:
        """Checks the batch of a model's outermost call, and follows its output."""
        if not self._is_active or self._is_busy or self._depth("model") or _is_of_user(model):
            return original(model, *args, **kwargs)
        self._before_model((args, kwargs))
        named = arguments.of_forward(model, args, kwargs)
        before = self._caches.find(named.get("past_key_values"))
        with self._calling("forward", model, named):
            output = original(model, *args, **kwargs)
        with self._guarded("forward()"), self._busy():
            self._after_forward(model, named, before, output)
        return output

    def _after_generate(self, model: PreTrainedModel, named: Mapping[str, Any], output: Any) -> None:
        mask = named.get("attention_mask")
        layout = layout_of(self._rows, named.get("input_ids"), mask)
        if layout is None:
            self._count_unknown(named)
            return
        pad = arguments.generation_setting(model, named, "pad_token_id")
        eos = arguments.eos_ids(arguments.generation_setting(model, named, "eos_token_id"))
        if not model.config.is_encoder_decoder:
            for row, real in self._outputs.add(output, layout, eos):
                self._rows.add(row, real)
        place = user_place()
        if place is not None and self._is_due(place, padding_kind(mask, None, layout, None), layout):
            call = ModelCall(model, named, layout)
            makers = self._makers.of(layout)
            change = change_of(makers, layout)
            is_left = any(maker is not None and maker.tokenizer.padding_side == "left" for maker in makers)
            self._check(place, lambda: by_library(check_generate(call, pad, side_is_left=is_left), change))
            self._check(place, lambda: other_tokenizer.check(call, makers))
            if model.config.is_encoder_decoder:  # its answer does not continue the prompt
                return
            self._check(place, lambda: prompts.check_length(named, layout, output, eos))
            self._check(place, lambda: prompts.check_cut(call, pad, self._cut_texts))
            self._check(place, lambda: prompts.check_bos(call, pad))

    def _after_forward(
        self, model: PreTrainedModel, named: Mapping[str, Any], before: Layout | None, output: Any
    ) -> None:
        mask, positions = named.get("attention_mask"), named.get("position_ids")
        self._means.follow_loss(named, output, shifts=labels.shifts(model))
        layout = layout_of(self._rows, named.get("input_ids"), mask)
        if before is not None:
            new = layout or new_columns(named.get("input_ids"), mask, before.known)
            layout = None if new is None else before.then(new)
        if layout is None:
            self._count_unknown(named)
            return
        if getattr(model.config, "is_encoder_decoder", False):
            return
        self._caches.add(getattr(output, "past_key_values", None), layout)
        place = user_place()
        kind = padding_kind(mask, positions, layout, before), labels.kind(named, layout)
        if place is None or not self._is_due(place, kind, layout):
            return
        makers = self._makers.of(layout)
        change = change_of(makers, layout)
        followed = layout if before is None else layout.tail(before.width)
        self._reader.follow(output, followed, type(model).__name__, change)
        call = ModelCall(model, named, layout, before, main_output(output))
        self._check(place, lambda: by_library(check_forward(call), change))
        self._check(place, lambda: other_tokenizer.check(call, makers))
        self._check(place, lambda: labels.check(call))

    def _count_unknown(self, named: Mapping[str, Any]) -> None:
        """A call with unknown rows counts if its mask says that it is padded."""
        self.seen.count("unknown", hides_columns(named.get("attention_mask"), named.get("input_ids")))

    @contextmanager
    def _calling(self, kind: str, model: PreTrainedModel, named: Mapping[str, Any]) -> Iterator[None]:
        """Within the context the user's call runs. If it fails because of an id, that is reported."""
        self.seen.count(kind)
        self.dtypes.add(str(model.dtype).removeprefix("torch."))
        try:
            with self._reader.paused(), self._inside("model"), self._turns.inside():
                yield
        except (IndexError, RuntimeError):
            with self._guarded("a failed call"):
                self.seen.found(missing_embedding(model, named.get("input_ids")), user_place())
            raise

    def _before_model(self, inputs: Any) -> None:
        """A new call of a model: what was read from the last one is complete."""
        with self._guarded("results"):
            for row in self._workers.rows():
                self._rows.add_pad(*row.pads)
                self._rows.add(row.ids, row.mask)
            self._reader.leave(inputs)
            self._reader.flush()

    def _is_due(self, place: CodePlace, kind: object, layout: Layout) -> bool:
        """True for the first calls at a line, and for further ones whose padding has a new shape."""
        is_new = (place, kind) not in self._kinds
        self._kinds.add((place, kind))
        self._checked[place] += 1
        is_due = self._every_call or is_new or self._checked[place] <= _CHECKS_PER_PLACE
        is_padded = bool(layout.padded.any())
        self.seen.count("padded", is_padded)
        self.seen.count("checked", is_padded and is_due)
        return is_due

    def _check(self, place: CodePlace, check: Callable[[], Proven | None]) -> None:
        try:
            with self._turns.alone() as is_alone:
                found = check() if is_alone else None
            reason = None if is_alone else "other threads run models"
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            found, reason = None, "the accelerator's memory is full"
        except Exception as error:  # noqa: BLE001  a check must not end the user's program
            found, reason = None, f"{type(error).__name__}: {error}"
        if reason is not None:
            self.seen.note(f"{place.file}:{place.line}: not compared with the rows alone: {reason}")
        self.seen.found(found, place)

    def _value_left(self, origin: Origin) -> None:
        """A value that depends on pads has left the tensors."""
        facts: dict[str, object] = {
            "operation": origin.operation,
            "effect": f"other numbers at the pads move it by {origin.max_abs_diff:.2g}",
            "max_abs_diff": origin.max_abs_diff,
            "model": origin.batch.model,
            "width": origin.batch.width,
        }
        self.seen.found(by_library(Proven(origin.code, facts), origin.batch.change), origin.place)

    @contextmanager
    def _guarded(self, what: str) -> Iterator[None]:
        """Turns an error of padcheck's own into a note."""
        try:
            with self._reader.paused():
                yield
        except Exception as error:  # noqa: BLE001  the user's program must not end because of it
            self.seen.note(f"{what} could not be watched: {type(error).__name__}: {error}")

    @contextmanager
    def _inside(self, kind: str) -> Iterator[bool]:
        """Within the context, this thread is inside a call of this kind. Yields whether it is the outermost one."""
        depth = self._depth(kind)
        setattr(self._state, kind, depth + 1)
        try:
            yield depth == 0
        finally:
            setattr(self._state, kind, depth)

    def _depth(self, kind: str) -> int:
        return int(getattr(self._state, kind, 0))

    @contextmanager
    def _busy(self) -> Iterator[None]:
        _RUNNING_A_CHECK.is_running = True
        try:
            yield
        finally:
            _RUNNING_A_CHECK.is_running = False

    @property
    def _is_busy(self) -> bool:
        return getattr(_RUNNING_A_CHECK, "is_running", False)


def _flush_at_exit(reader: ResultReader) -> None:
    """For a process that multiprocessing has forked: it ends without leaving the context."""
    util.Finalize(None, reader.flush, exitpriority=1)


def _is_of_user(model: PreTrainedModel) -> bool:
    """True for a class of the user's: what its forward() does is the user's code, and the models inside are watched."""
    code = getattr(type(model).forward, "__code__", None)
    return code is not None and is_user_file(code.co_filename)
