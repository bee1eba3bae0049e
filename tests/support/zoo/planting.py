"""How a fault gets into a model: between it and its base model, which is asked for something else than is right.

So generate(), cache and layers stay those of transformers, and what forward() receives from outside stays right.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from padcheck.core.report import Verdict
from zoo.families import Build, build_family

UNHARMED = frozenset({Verdict.IDENTICAL, Verdict.EQUIVALENT})
DTYPES = (torch.float32, torch.bfloat16, torch.float16)


_HARM = {Verdict.DIFFERENT: "PAD201", Verdict.NON_FINITE: "PAD204"}


@dataclass(frozen=True)
class Planted:
    """A model with one fault.

    Attributes:
        name: What is wrong with it.
        build: Makes it, in a dtype.
        cause: The code that names the fault; None where none does.
        also: Other causes that are true of it.
        left: What the left arm then is; None where the left-padded batch is right.
        dtypes: Where the fault shows.
        by_neighbours: True where it is not pads that make a row wrong, but its neighbours or the call before.
        drowns_in: Where rounding is as large as the fault, so that only the float32 twin shows it; and what it shows.
        settings: What `compare` is given to reach it: prompts (`encoded`), and settings of the measurement.
    """

    name: str
    build: Build
    cause: str | None
    also: frozenset[str] = frozenset()
    left: Verdict | None = Verdict.DIFFERENT
    dtypes: tuple[torch.dtype, ...] = DTYPES
    by_neighbours: bool = False
    drowns_in: dict[torch.dtype, str] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    def expected_left(self, dtype: torch.dtype) -> frozenset[Verdict]:
        """The verdicts that the left arm may get in a dtype."""
        if self.left is None or dtype not in self.dtypes or dtype in self.drowns_in:
            return UNHARMED
        return frozenset({self.left})

    def expected_harm(self, dtype: torch.dtype) -> set[str]:
        """The symptoms that are found in a dtype.

        None where a prompt alone is wrong (PAD208): it is the reference of whatever is said of padding.
        """
        if dtype not in self.dtypes or self.cause == "PAD208":
            return set()
        if dtype in self.drowns_in:
            return {self.drowns_in[dtype]}
        if self.by_neighbours:
            return {"PAD206"}
        return set() if self.left is None else {_HARM[self.left]}

    def expected_causes(self, dtype: torch.dtype) -> set[str]:
        """The causes of left padding's harm that are found in a dtype."""
        if self.left is None or dtype not in self.dtypes or self.by_neighbours:
            return set()
        return ({self.cause} if self.cause else set()) | self.also

    def is_silent(self, dtype: torch.dtype) -> bool:
        """True where nothing at all is wrong in a dtype, or only generating behind pads, which is a warning."""
        return dtype not in self.dtypes or self.cause == "PAD202"


@dataclass(frozen=True)
class Clean:
    """A model that left padding does not harm."""

    name: str
    build: Build


Arguments = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One forward() of a base model, with what a model without a fault would know.

    Attributes:
        base: The base model.
        input_ids: The columns that enter now, (batch, new).
        mask: True where a column of the cache or of the input is real, (batch, past + new).
    """

    base: PreTrainedModel
    input_ids: torch.Tensor
    mask: torch.Tensor

    @property
    def past(self) -> int:
        """How many columns the cache holds."""
        return self.mask.shape[1] - self.input_ids.shape[1]

    @property
    def slots(self) -> torch.Tensor:
        """The number of each column, (batch, past + new)."""
        return torch.arange(self.mask.shape[1]).expand_as(self.mask)

    @property
    def positions(self) -> torch.Tensor:
        """The position of each column, 0 in a pad on the left, (batch, past + new)."""
        return (self.mask.cumsum(dim=1) - 1).clamp_min(0)

    @property
    def causal(self) -> torch.Tensor:
        """True where a new column may look if pads do not count, (batch, new, past + new)."""
        return self.slots[:, self.past :, None] >= self.slots[:, None, :]

    @property
    def embeddings(self) -> torch.Tensor:
        """Of the columns that enter now, (batch, new, hidden_size)."""
        return self.base.get_input_embeddings()(self.input_ids)

    def additive_mask(self, may_attend: torch.Tensor, otherwise: float | torch.Tensor) -> Arguments:
        """A mask to be added to the scores: 0 where a new column may attend, (batch, 1, new, past + new)."""
        return {"attention_mask": torch.where(may_attend, 0.0, otherwise)[:, None].to(self.base.dtype)}


Fault = Callable[[Call], Arguments]
"""The arguments of the base model that are wrong in this call."""


def plant(model: PreTrainedModel, fault: Fault) -> PreTrainedModel:
    """The model, its base model being called with the fault's arguments from now on."""

    def change(base: Any, args: tuple[Any, ...], kwargs: Arguments) -> tuple[tuple[Any, ...], Arguments]:
        input_ids = args[0] if args else kwargs["input_ids"]
        mask = kwargs["attention_mask"]
        if mask is None:
            mask = torch.ones(len(input_ids), _past(kwargs.get("past_key_values")) + input_ids.shape[1])
        return args, kwargs | fault(Call(base, input_ids, mask.bool()))

    model.base_model.register_forward_pre_hook(change, with_kwargs=True)
    return model


def planted(fault: Fault, model_type: str = "llama", attn_implementation: str | None = None) -> Build:
    """Builds a family's model with this fault."""

    def build(dtype: torch.dtype) -> PreTrainedModel:
        def of(config: Any) -> PreTrainedModel:
            return AutoModelForCausalLM.from_config(config, attn_implementation=attn_implementation)

        return plant(build_family(dtype, model_type, of=of), fault)

    return build


def _past(cache: Any) -> int:
    if cache is None:
        return 0
    return cache.get_seq_length() if hasattr(cache, "get_seq_length") else cache[0][0].shape[-2]
