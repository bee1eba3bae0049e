"""Small causal language models: some with one planted fault each, others that left padding does not harm."""

from zoo import batches, masks, modes, neighbours, numbers, positions, states
from zoo.comparing import compare
from zoo.families import FAMILIES, PROMPTS, tokenizer
from zoo.planting import Clean, Planted

__all__ = ["CLEAN", "FAULTS", "PROMPTS", "Clean", "Planted", "compare", "tokenizer"]

FAULTS: tuple[Planted, ...] = (
    *positions.FAULTS,
    *masks.FAULTS,
    *states.FAULTS,
    *batches.FAULTS,
    *neighbours.FAULTS,
    *numbers.FAULTS,
    *modes.FAULTS,
)
CLEAN: tuple[Clean, ...] = (
    *(Clean(name, build) for name, build in FAMILIES.items()),
    *positions.HARMLESS,
    *masks.HARMLESS,
    *states.HARMLESS,
)
