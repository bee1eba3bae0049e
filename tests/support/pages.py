"""The README and the pages of the site, and the code that they show."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"
WRITTEN = [README, *sorted(page for page in DOCS.rglob("*.md") if page.parent.name != "codes")]
"""The pages that are written by hand. Those of the codes are made from docstrings."""


def name(page: Path) -> str:
    """The page as its readers know it, for the name of a test."""
    return str(page.relative_to(ROOT))


def code(page: Path, language: str) -> list[str]:
    """The text of each block of this language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[str]:
    """Each command that the page shows, without the comment at its end."""
    lines = (line for block in code(page, "console") for line in block.splitlines())
    return [re.sub(r"\s+# .*", "", line) for line in lines]
