"""Searches for the module in which a planted fault begins, and checks that it is the one that has the fault."""

import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn
from transformers import PreTrainedModel
from zoo.families import PAD, VOCAB_SIZE
from zoo.planting import Arguments

from padcheck.core.evidence import Place
from padcheck.core.facts import PaddingSide
from padcheck.core.settings import MeasureSettings
from padcheck.hf.calls.batches import Batch
from padcheck.hf.calls.generation import neutral_generation_config
from padcheck.hf.place.first_module import find_place
from padcheck.hf.place.watching import watched_generate
from padcheck.hf.runs.noise import rounding_errors

BATCH = Batch({0: tuple(range(4, 14)), 1: tuple(range(20, 31)), 2: (40, 41, 42)}, 11, PAD, VOCAB_SIZE, seed=0)
"""Three prompts with 1, 0 and 8 pads."""
MANY_PADS, ONE_PAD = 2, 0
SETTINGS = MeasureSettings(max_new_tokens=4)


def place_in(
    model: PreTrainedModel,
    *,
    step: int = 0,
    prompt: int = MANY_PADS,
    side: PaddingSide = "left",
    with_cache: bool = True,
) -> Place | None:
    """The place at which the padded batch begins to differ from one prompt alone."""
    with neutral_generation_config(model, PAD):
        return find_place(
            model,
            watched_generate(model, BATCH.alone()[prompt], 0, step, SETTINGS, with_cache=with_cache),
            watched_generate(model, BATCH.padded(side), prompt, step, SETTINGS, with_cache=with_cache),
            partial(rounding_errors, model),
            prompt_index=prompt,
        )


def assert_place_is(place: Place | None, model: PreTrainedModel, module: nn.Module) -> None:
    """The place is this module, and its file and line are those of `def forward` in the module's class."""
    assert place is not None
    name = next(name for name, other in model.named_modules() if other is module)
    assert place.module == (name or type(model).__name__)
    assert place.class_name == type(module).__name__
    owner = next(cls for cls in type(module).__mro__ if "forward" in vars(cls))
    assert place.file is not None
    path = Path(sys.modules[owner.__module__].__file__ or "")
    assert path.as_posix().endswith(f"/{place.file}")
    lines = path.read_text().splitlines()
    assert place.line is not None
    assert lines[place.line - 1].lstrip().startswith("def forward(")
    assert _class_around(lines, place.line) == owner.__name__
    assert place.difference_before is not None
    assert place.difference_before <= 1e-5
    assert place.difference is None or place.difference > 100 * place.allowed


def _class_around(lines: list[str], line: int) -> str:
    return next(found[1] for text in reversed(lines[:line]) if (found := re.match(r"class (\w+)", text)))


# Modules


def layer(model: PreTrainedModel, number: int) -> nn.Module:
    inner = model.base_model
    return (inner.h if hasattr(inner, "h") else inner.layers)[number]


def attention(model: PreTrainedModel) -> nn.Module:
    """The attention or mixer of the second layer."""
    second = layer(model, 1)
    return next(getattr(second, name) for name in ("self_attn", "attn", "mixer") if hasattr(second, name))


def mlp(model: PreTrainedModel) -> nn.Module:
    """The MLP of the second layer. The name of a mixture of experts depends on the version of transformers."""
    second = layer(model, 1)
    return second.mlp if hasattr(second, "mlp") else second.block_sparse_moe


# A planted fault


def ignore_mask(module: nn.Module) -> None:
    """The module gets no attention_mask."""

    def ignore(_module: nn.Module, args: Any, kwargs: Arguments) -> tuple[Any, Arguments]:
        return args, kwargs | {"attention_mask": None}

    module.register_forward_pre_hook(ignore, with_kwargs=True)
