"""Records library warnings and the position_ids that forward() receives; loggers and hooks are restored afterwards."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any

import torch
from transformers.utils import logging as transformers_logging

_LOGGERS = ("transformers", "huggingface_hub", "accelerate", "peft", "bitsandbytes")


class _Collector(logging.Handler):
    """Appends each new message to a list."""

    def __init__(self, messages: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        _append_once(self._messages, record.getMessage())


@contextmanager
def captured_warnings() -> Iterator[list[str]]:
    """Collects each distinct warning of the libraries, and keeps it off the screen.

    Some libraries print their warnings. stdout belongs to the report, so each printed line is collected as a warning.
    """
    messages: list[str] = []
    collector = _Collector(messages)
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger.handlers[:], logger.propagate, logger.level) for logger in loggers]
    # `warning_once` shows a message once per process. Without clearing it, only the first run would get the message.
    transformers_logging.warning_once.cache_clear()
    printed = StringIO()
    with warnings.catch_warnings(), redirect_stdout(printed):
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_args, **_kwargs: _append_once(messages, str(message))
        try:
            for logger in loggers:
                logger.handlers, logger.propagate = [collector], False
                logger.setLevel(logging.WARNING)
            yield messages
        finally:
            for line in printed.getvalue().splitlines():
                _append_once(messages, line)
            for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
                logger.handlers, logger.propagate = handlers, propagate
                logger.setLevel(level)


@contextmanager
def library_bars(*, shown: bool) -> Iterator[None]:
    """Hides the libraries' progress bars unless `shown` is True. Otherwise they are written even to a log file."""
    were_shown = transformers_logging.is_progress_bar_enabled()
    if were_shown and not shown:
        transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if were_shown and not shown:
            transformers_logging.enable_progress_bar()


def _append_once(messages: list[str], message: str) -> None:
    message = message.strip()
    if message and message not in messages:
        messages.append(message)


@contextmanager
def received_position_ids(model: torch.nn.Module) -> Iterator[list[torch.Tensor | None]]:
    """Collects the position_ids of each forward() call: (batch or 1, seq_len) on the CPU, or None if it got none."""
    received: list[torch.Tensor | None] = []

    def record(_module: torch.nn.Module, _args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        position_ids = kwargs.get("position_ids")
        if position_ids is not None and position_ids.dim() == 3:  # noqa: PLR2004  (sections, batch, seq_len) of multimodal rotary
            position_ids = position_ids[0]  # text has the same position in every section
        received.append(None if position_ids is None else position_ids.detach().cpu())

    handle = model.register_forward_pre_hook(record, with_kwargs=True)
    try:
        yield received
    finally:
        handle.remove()


def position_ids_by_column(
    received: list[torch.Tensor | None], row: int, prompt_width: int, num_columns: int
) -> tuple[int | None, ...]:
    """The position of each column of a row when the column first entered forward(); None if it is unknown.

    Args:
        received: One entry per forward() call. The first call gets the prompt, each later one adds a column.
        row: The row of the batch.
        prompt_width: The number of columns of the padded prompt.
        num_columns: The number of columns to return. The last generated token never enters forward(), so it is None.
    """
    by_column: list[int | None] = [None] * num_columns
    for call, position_ids in enumerate(received):
        if position_ids is None:
            continue
        values = position_ids[row if position_ids.shape[0] > 1 else 0].tolist()
        first = prompt_width + call - len(values)
        for column, value in enumerate(values, start=first):
            # Without a cache, every step passes all columns again.
            if 0 <= column < num_columns and by_column[column] is None:
                by_column[column] = value
    return tuple(by_column)
