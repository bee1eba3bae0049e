"""Plants a fault into a model by changing the arguments of its base model.

generate(), cache and layers stay those of transformers, and forward() receives the right arguments from outside.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from padcheck.core.verdicts import Verdict
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
        cause: The code that names the fault; None if no code does.
        also: Other causes that also apply.
        left: The verdict of the left run; None if the left-padded batch is right.
        dtypes: The dtypes in which the fault shows.
        by_neighbours: True if neighbours or an earlier call make a row wrong, and not pads.
        drowns_in: The dtypes in which rounding hides the fault and only float32 shows it, with the code that fires.
        settings: Arguments of `compare` that reach the fault: prompts (`encoded`), and settings of the measurement.
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
        """The verdicts that the left run may get in a dtype."""
        if self.left is None or dtype not in self.dtypes or dtype in self.drowns_in:
            return UNHARMED
        return frozenset({self.left})

    def expected_harm(self, dtype: torch.dtype) -> set[str]:
        """The symptoms that are found in a dtype.

        Empty if a prompt alone is wrong (PAD208), because it is the reference for everything about padding.
        """
        if dtype not in self.dtypes or self.cause == "PAD208":
            return set()
        if dtype in self.drowns_in:
            return {self.drowns_in[dtype]}
        if self.by_neighbours:
            return {"PAD206"}
        return set() if self.left is None else {_HARM[self.left]}

    def expected_causes(self, dtype: torch.dtype) -> set[str]:
        """The causes that are found in a dtype for the harm of left padding."""
        if self.left is None or dtype not in self.dtypes or self.by_neighbours:
            return set()
        return ({self.cause} if self.cause else set()) | self.also

    def is_silent(self, dtype: torch.dtype) -> bool:
        """True if nothing is wrong in a dtype, or only right-padded generation, which is a warning."""
        return dtype not in self.dtypes or self.cause == "PAD202"


@dataclass(frozen=True)
class Clean:
    """A model that left padding does not harm."""

    name: str
    build: Build


Arguments = dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One forward() of a base model, and what a model without a fault would know about it.

    Attributes:
        base: The base model.
        input_ids: The columns that enter now, (batch, new).
        mask: True for the real columns of the cache and of the input, (batch, past + new).
    """

    base: PreTrainedModel
    input_ids: torch.Tensor
    mask: torch.Tensor

    @property
    def past(self) -> int:
        """The number of columns in the cache."""
        return self.mask.shape[1] - self.input_ids.shape[1]

    @property
    def slots(self) -> torch.Tensor:
        """The number of each column, (batch, past + new)."""
        return torch.arange(self.mask.shape[1], device=self.mask.device).expand_as(self.mask)

    @property
    def positions(self) -> torch.Tensor:
        """The position of each column; 0 for pads on the left, (batch, past + new)."""
        return (self.mask.cumsum(dim=1) - 1).clamp_min(0)

    @property
    def causal(self) -> torch.Tensor:
        """True for the columns that a new column may attend to if pads are ignored, (batch, new, past + new)."""
        return self.slots[:, self.past :, None] >= self.slots[:, None, :]

    @property
    def embeddings(self) -> torch.Tensor:
        """The embeddings of the columns that enter now, (batch, new, hidden_size)."""
        return self.base.get_input_embeddings()(self.input_ids)

    def additive_mask(self, may_attend: torch.Tensor, otherwise: float | torch.Tensor) -> Arguments:
        """A mask to add to the scores: 0 for columns that a new column may attend to, (batch, 1, new, past + new)."""
        return {"attention_mask": torch.where(may_attend, 0.0, otherwise)[:, None].to(self.base.dtype)}


Fault = Callable[[Call], Arguments]
"""The arguments of the base model that are wrong in this call."""


def plant(model: PreTrainedModel, fault: Fault) -> PreTrainedModel:
    """The model. From now on its base model is called with the fault's arguments."""

    def change(base: Any, args: tuple[Any, ...], kwargs: Arguments) -> tuple[tuple[Any, ...], Arguments]:
        input_ids = args[0] if args else kwargs["input_ids"]
        mask = kwargs["attention_mask"]
        if mask is None:
            width = _past(kwargs.get("past_key_values")) + input_ids.shape[1]
            mask = torch.ones(len(input_ids), width, device=input_ids.device)
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
