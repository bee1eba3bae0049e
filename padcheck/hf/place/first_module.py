"""Names the module in which a prompt's real tokens begin to depend on how the prompt is run."""

import math
from collections.abc import Iterable, Iterator

import torch
from torch import nn
from transformers import PreTrainedModel

from padcheck.core.evidence import Place
from padcheck.hf.place.gaps import Compared, Gap, Perturbed, compare_modules
from padcheck.hf.place.source import method_source
from padcheck.hf.place.watching import Watched, called_modules

_PREPARE = "prepare_inputs_for_generation"


def find_place(
    model: PreTrainedModel, alone: Watched, changed: Watched, perturbed: Perturbed, *, prompt_index: int
) -> Place | None:
    """The first module whose output on the real tokens differs beyond rounding although its inputs on them agree.

    The search goes down the tree of modules, one level at a time, so that only one level's values of one prompt are in
    memory: four runs a level, and one more. It ends where no part of a module qualifies. What is wrong is then in the
    module's own forward() or in its mask; masks (rows, 1, columns, cache) are not compared.

    A shift of all positions alike does no harm with rotary positions, and counts as no difference there. Where a
    module without parts makes something else of shifted positions, the place is the module that shifts them.

    Args:
        model: In float32 and eval mode; not changed, and the hooks are removed again.
        alone: The prompt alone, without padding.
        changed: The same prompt in another way. Both are looked at where the first token that differs is chosen.
        perturbed: Such as `partial(rounding_errors, model)`.
        prompt_index: Of the prompt, for the result.

    Returns:
        None where no module differs beyond rounding, or the model's arguments have an unknown layout.

    Raises:
        Exception: What a run raises.
    """
    with torch.inference_mode():
        outermost = next(iter(compare_modules(model, [""], alone, changed, perturbed)), None)
        if outermost is None or (outermost.outputs and not outermost.output_differs):
            return None
        wrong = [path for path, gap in outermost.inputs.items() if gap.differs]
        if wrong:  # with other token ids nothing can be said of the model
            trail, by_positions = list[Compared](), all("position_ids" in path for path in wrong)
        else:
            trail, by_positions = _descend(model, outermost, alone, changed, perturbed)
    if by_positions:
        trail = [compared for compared in trail if not compared.has_shifted_inputs]
    if trail:
        return _place_of_module(model, trail[-1], prompt_index, changed.call)
    return _place_of_positions(model, outermost, prompt_index, changed.call) if by_positions else None


def _descend(
    model: nn.Module, outermost: Compared, alone: Watched, changed: Watched, perturbed: Perturbed
) -> tuple[list[Compared], bool]:
    """The modules from the outermost to the innermost that qualifies, and whether shifted positions are the cause.

    The outermost is one of them only if its output could be compared, or a part qualifies.
    """
    called = called_modules(model, alone)
    trail = [outermost]
    while True:
        parts = list(dict.fromkeys(_parts(model.get_submodule(trail[-1].name), trail[-1].name, called)))
        compared = compare_modules(model, parts, alone, changed, perturbed) if parts else []
        culprit = next((part for part in compared if part.output_differs and part.inputs_agree), None)
        if culprit is None:
            return (trail if outermost.output_differs or len(trail) > 1 else []), False
        if culprit.has_shifted_inputs and not any(model.get_submodule(culprit.name).children()):
            return trail, True
        trail.append(culprit)


def _parts(module: nn.Module, name: str, called: set[nn.Module]) -> Iterator[str]:
    """The names of its children; of a child that is never called, as a list of layers, its children's names."""
    for child_name, child in module.named_children():
        full_name = f"{name}.{child_name}" if name else child_name
        if child in called:
            yield full_name
        else:
            yield from _parts(child, full_name, called)


def _place_of_module(model: PreTrainedModel, compared: Compared, prompt_index: int, step: int) -> Place:
    module = model.get_submodule(compared.name)
    class_name = type(module).__name__
    file, line = method_source(module, "forward")
    worst = _worst(gap for gap in compared.outputs.values() if gap.differs)
    return Place(
        module=compared.name or class_name,
        class_name=class_name,
        file=file,
        line=line,
        difference_before=max((gap.difference for gap in compared.inputs.values() if not gap.shifted), default=0.0),
        difference=_finite(worst.difference),
        allowed=worst.allowed,
        prompt_index=prompt_index,
        step=step,
    )


def _place_of_positions(model: PreTrainedModel, outermost: Compared, prompt_index: int, step: int) -> Place:
    class_name = type(model).__name__
    file, line = method_source(model, _PREPARE)
    others = [gap.difference for path, gap in outermost.inputs.items() if "position_ids" not in path]
    worst = _worst(gap for path, gap in outermost.inputs.items() if "position_ids" in path)
    return Place(
        module=f"{class_name}.{_PREPARE}",
        class_name=class_name,
        file=file,
        line=line,
        difference_before=max(others, default=0.0),
        difference=_finite(worst.difference),
        allowed=worst.allowed,
        prompt_index=prompt_index,
        step=step,
    )


def _worst(gaps: Iterable[Gap]) -> Gap:
    return max(gaps, key=lambda gap: gap.difference - gap.allowed)


def _finite(difference: float) -> float | None:
    return difference if math.isfinite(difference) else None
