"""One page per code, made from the docstring of its rule: `make docs` writes them, a test compares them."""

import re
from pathlib import Path

from padcheck.judging.rule import Rule
from padcheck.judging.rules import RULES

FOLDER = Path(__file__).parents[2] / "docs" / "codes"

_CODE = re.compile(r"\bPAD\d{3}\b")
_ISSUE = re.compile(r"\b([\w-]+/[\w.-]+)#(\d+)")


def pages() -> dict[Path, str]:
    """The content of each page, by its file."""
    return {FOLDER / f"{rule.code}.md": _page(rule) for rule in RULES} | {FOLDER / "README.md": _list()}


def _page(rule: Rule) -> str:
    parts = [f"# {rule.code} {rule.name}", f"{rule.title()} Severity: {rule.severity.value}."]
    parts += [f"## {heading.rstrip(':')}\n\n{_linked(text, rule.code)}" for heading, text in rule.sections()]
    parts.append("[All codes](README.md)")
    return "\n\n".join(parts) + "\n"


def _list() -> str:
    rows = [
        f"| [{rule.code}]({rule.code}.md) | {rule.name} | {rule.severity.value} | {rule.title()} |" for rule in RULES
    ]
    return "\n".join(
        ["# The codes", "", "| code | name | severity | what it says |", "| --- | --- | --- | --- |", *rows, ""]
    )


def _linked(text: str, own: str) -> str:
    """The text with links to the pages of other codes, and to issues."""
    known = {rule.code for rule in RULES} - {own}
    text = _ISSUE.sub(r"[\g<0>](https://github.com/\1/issues/\2)", text)
    return _CODE.sub(lambda found: f"[{found[0]}]({found[0]}.md)" if found[0] in known else found[0], text)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, text in pages().items():
        file.write_text(text, encoding="utf-8")
