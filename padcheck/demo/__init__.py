"""The built-in demo: a tiny GPT-2 that was trained on simple sequences, and prompts that show what padding changes."""

from pathlib import Path

MODEL_FOLDER: Path = Path(__file__).parent / "model"


def load_prompts() -> tuple[str, ...]:
    """Returns the prompts of the demo: the lines of `prompts.txt`."""
    return tuple((MODEL_FOLDER.parent / "prompts.txt").read_text(encoding="utf-8").splitlines())
