"""What a run needs of a model: four calls, and the dtype that they calculate in.

A run (`padcheck.hf.runs.table`) asks a runtime and never the model, so the same run works on a model as it was loaded
and on the same model in float32. A new way of decoding is a mode (`padcheck.hf.calls.modes`).
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from transformers import PreTrainedModel

from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls import forwards, generation
from padcheck.hf.calls.batches import Rows
from padcheck.hf.calls.generation import neutral_generation_config
from padcheck.hf.calls.modes import Mode, plain
from padcheck.hf.calls.trace import RowTrace
from padcheck.hf.float32.half_precision import HALF
from padcheck.hf.float32.view import Float32View
from padcheck.hf.place.watching import Watched, watched_generate

Positions = Callable[[tuple[int, ...]], tuple[int, ...]]
"""Gives the position_ids of a row from its attention_mask."""


class Runtime(Protocol):
    """A model in eval mode, with its neutral generation_config, ready for the calls of a run.

    Attributes:
        model: For hooks on its modules.
        settings: How many tokens to generate, and how to draw them.
        dtype: The name of the dtype that the calls calculate in.
        in_float32: True if this is not the dtype of the model.
        in_half: True if the calls calculate in 16 bit.
    """

    @property
    def model(self) -> PreTrainedModel: ...  # noqa: D102
    @property
    def settings(self) -> MeasureSettings: ...  # noqa: D102
    @property
    def dtype(self) -> str: ...  # noqa: D102
    @property
    def in_float32(self) -> bool: ...  # noqa: D102
    @property
    def in_half(self) -> bool: ...  # noqa: D102

    def opened(self) -> AbstractContextManager[None]:
        """The context in which the calls below may be made."""
        ...

    def generate(
        self,
        rows: Rows,
        *,
        max_new_tokens: int | None = None,
        with_mask: bool = True,
        with_cache: bool = True,
        mode: Mode = plain,
    ) -> list[RowTrace]:
        """Generates with one call for all rows; one trace a row."""
        ...

    def forward(self, rows: Rows, *, with_mask: bool = True, positions: Positions | None = None) -> list[RowTrace]:
        """Runs the rows once and reads each at its last real token."""
        ...

    def replay(self, prompt: tuple[int, ...], new: tuple[int, ...], *, with_positions: bool = False) -> RowTrace:
        """One forward() over a prompt and its new tokens, without a cache: all steps of the prompt alone."""
        ...

    def continue_from_cache(self, rows: Rows, new: list[tuple[int, ...]]) -> list[RowTrace]:
        """Two steps: forward() over the rows, then over the first of the new tokens with the cache of the rows."""
        ...

    def packed(self, prompts: Mapping[int, tuple[int, ...]]) -> list[RowTrace]:
        """One forward() over all prompts in one row, read at the last token of each."""
        ...

    def watched(self, rows: Rows, row: int, step: int) -> Watched:
        """generate() up to a step, to be watched from the inside for one row."""
        ...


@dataclass(frozen=True)
class AsLoaded:
    """The model in its own dtype.

    Attributes:
        model: In eval mode.
        settings: How many tokens to generate, and how to draw them.
        own_pad_token_id: The pad id of the model's own generation_config, from which generate() infers a missing mask.
    """

    model: PreTrainedModel
    settings: MeasureSettings
    own_pad_token_id: int | None

    @property
    def dtype(self) -> str:
        """The name of the model's dtype."""
        return str(self.model.dtype).removeprefix("torch.")

    @property
    def in_float32(self) -> bool:
        """False: it is the model's own dtype."""
        return False

    @property
    def in_half(self) -> bool:
        """True if the model is in 16 bit."""
        return self.model.dtype in HALF

    @property
    def forced(self) -> Mapping[int, tuple[int, ...]] | None:
        """The tokens that generate() must choose, by prompt; None if it is free."""
        return None

    def opened(self) -> AbstractContextManager[None]:
        """Nothing has to be prepared."""
        return nullcontext()

    def generate(
        self,
        rows: Rows,
        *,
        max_new_tokens: int | None = None,
        with_mask: bool = True,
        with_cache: bool = True,
        mode: Mode = plain,
    ) -> list[RowTrace]:
        """See `padcheck.hf.calls.generation.generate`; without a mask the model's own pad id applies."""
        own_config = nullcontext() if with_mask else neutral_generation_config(self.model, self.own_pad_token_id)
        with own_config:
            return generation.generate(
                self.model,
                rows,
                self.settings,
                max_new_tokens=max_new_tokens,
                with_mask=with_mask,
                with_cache=with_cache,
                # A missing mask is to be seen in the token too.
                forced=self.forced if with_mask else None,
                mode=mode,
            )

    def forward(self, rows: Rows, *, with_mask: bool = True, positions: Positions | None = None) -> list[RowTrace]:
        """See `padcheck.hf.calls.forwards.forward`."""
        return forwards.forward(self.model, rows, self.settings, with_mask=with_mask, positions=positions)

    def replay(self, prompt: tuple[int, ...], new: tuple[int, ...], *, with_positions: bool = False) -> RowTrace:
        """See `padcheck.hf.calls.forwards.replay`."""
        return forwards.replay(self.model, prompt, new, with_positions=with_positions)

    def continue_from_cache(self, rows: Rows, new: list[tuple[int, ...]]) -> list[RowTrace]:
        """See `padcheck.hf.calls.forwards.continue_from_cache`."""
        return forwards.continue_from_cache(self.model, rows, new)

    def packed(self, prompts: Mapping[int, tuple[int, ...]]) -> list[RowTrace]:
        """See `padcheck.hf.calls.forwards.packed`."""
        return forwards.packed(self.model, prompts, self.settings)

    def watched(self, rows: Rows, row: int, step: int) -> Watched:
        """See `padcheck.hf.place.watching.watched_generate`."""
        return watched_generate(self.model, rows, row, step, self.settings, forced=self.forced)


@dataclass(frozen=True)
class InFloat32(AsLoaded):
    """A 16-bit model that calculates in float32.

    Attributes:
        view: Raises the weights while the context is open.
        tokens: The new tokens of the 16-bit left-padded run, by prompt; generate() must choose them, so that every step
            has the same text before it.
    """

    view: Float32View
    tokens: Mapping[int, tuple[int, ...]]

    @property
    def dtype(self) -> str:
        """Always float32."""
        return "float32"

    @property
    def in_float32(self) -> bool:
        """Always true."""
        return True

    @property
    def in_half(self) -> bool:
        """Never."""
        return False

    @property
    def forced(self) -> Mapping[int, tuple[int, ...]]:
        """The tokens of the 16-bit run."""
        return self.tokens

    def opened(self) -> AbstractContextManager[None]:
        """Raises the weights to float32.

        Raises:
            NotOpenError: The model cannot calculate in float32; the text says why.
        """
        return self.view.opened()
