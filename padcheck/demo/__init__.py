"""The embedded demo: a tiny GPT-2 trained on made-up sequences, and prompts that show what padding does to it."""

from pathlib import Path

MODEL_FOLDER: Path = Path(__file__).parent / "model"


def load_prompts() -> tuple[str, ...]:
    """Returns the demo's prompts, one for each line of `prompts.txt`."""
    return tuple((MODEL_FOLDER.parent / "prompts.txt").read_text(encoding="utf-8").splitlines())
