"""Finds the first module that gives a prompt's real tokens other values when the prompt is run in another way."""

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

    The search goes down the module tree one level at a time, so only the values of one level and one prompt are in
    memory. It takes four runs per level, and one more. It ends at a module if none of its children qualifies. The
    fault is then in the module's own forward() or in its mask. Masks (rows, 1, columns, cache) are not compared.

    With rotary positions it is harmless to shift all positions by the same number, so this is not a difference. If a
    module without children gives another output for shifted positions, the place is the module that shifts them.

    Args:
        model: In float32 and eval mode. It is not changed, and the hooks are removed afterwards.
        alone: The prompt alone, without padding.
        changed: The same prompt, run in another way. Both watch the call that chooses the first different token.
        perturbed: Makes random rounding errors, for example `partial(rounding_errors, model)`.
        prompt_index: The index of the prompt, for the result.

    Returns:
        None if no module differs beyond rounding, or if the model's arguments have an unknown layout.

    Raises:
        Exception: Any error that a run raises.
    """
    with torch.inference_mode():
        outermost = next(iter(compare_modules(model, [""], alone, changed, perturbed)), None)
        if outermost is None or (outermost.outputs and not outermost.output_differs):
            return None
        different = [path for path, gap in outermost.inputs.items() if gap.differs]
        if different:  # if token ids are among them, no module can be blamed
            trail, wrong_positions = list[Compared](), all("position_ids" in path for path in different)
        else:
            trail, wrong_positions = _descend(model, outermost, alone, changed, perturbed)
    if wrong_positions:
        trail = [compared for compared in trail if not compared.has_shifted_inputs]
    if trail:
        return _place_of_module(model, trail[-1], prompt_index, changed.call)
    return _place_of_positions(model, outermost, prompt_index, changed.call) if wrong_positions else None


def _descend(
    model: nn.Module, outermost: Compared, alone: Watched, changed: Watched, perturbed: Perturbed
) -> tuple[list[Compared], bool]:
    """The modules that qualify, from the outermost to the innermost, and whether shifted positions are the cause.

    The result is empty if no child of the model qualifies and the model's own output agrees or could not be compared.
    """
    called = called_modules(model, alone)
    trail = [outermost]
    while True:
        children = list(dict.fromkeys(_called_children(model.get_submodule(trail[-1].name), trail[-1].name, called)))
        compared = compare_modules(model, children, alone, changed, perturbed) if children else []
        culprit = next((child for child in compared if child.output_differs and child.inputs_agree), None)
        if culprit is None:
            return (trail if outermost.output_differs or len(trail) > 1 else []), False
        if culprit.has_shifted_inputs and not any(model.get_submodule(culprit.name).children()):
            return trail, True
        trail.append(culprit)


def _called_children(module: nn.Module, name: str, called: set[nn.Module]) -> Iterator[str]:
    """The names of the children; a child that is never called, such as a ModuleList, is replaced by its children."""
    for child_name, child in module.named_children():
        full_name = f"{name}.{child_name}" if name else child_name
        if child in called:
            yield full_name
        else:
            yield from _called_children(child, full_name, called)


def _place_of_module(model: PreTrainedModel, compared: Compared, prompt_index: int, step: int) -> Place:
    module = model.get_submodule(compared.name)
    class_name = type(module).__name__
    file, line = method_source(module, "forward")
    worst = _furthest_beyond(gap for gap in compared.outputs.values() if gap.differs)
    return Place(
        module=compared.name or class_name,
        class_name=class_name,
        file=file,
        line=line,
        difference_before=_finite(
            max((gap.difference for gap in compared.inputs.values() if not gap.shifted), default=0.0)
        ),
        difference=_finite(worst.difference),
        allowed=worst.allowed,
        prompt_index=prompt_index,
        step=step,
    )


def _place_of_positions(model: PreTrainedModel, outermost: Compared, prompt_index: int, step: int) -> Place:
    class_name = type(model).__name__
    file, line = method_source(model, _PREPARE)
    others = [gap.difference for path, gap in outermost.inputs.items() if "position_ids" not in path]
    worst = _furthest_beyond(gap for path, gap in outermost.inputs.items() if "position_ids" in path)
    return Place(
        module=f"{class_name}.{_PREPARE}",
        class_name=class_name,
        file=file,
        line=line,
        difference_before=_finite(max(others, default=0.0)),
        difference=_finite(worst.difference),
        allowed=worst.allowed,
        prompt_index=prompt_index,
        step=step,
    )


def _furthest_beyond(gaps: Iterable[Gap]) -> Gap:
    """The gap that exceeds what rounding explains by the most."""
    return max(gaps, key=lambda gap: gap.difference - gap.allowed)


def _finite(difference: float) -> float | None:
    return difference if math.isfinite(difference) else None
