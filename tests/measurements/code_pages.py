"""One page per code, made from the docstring of its rule, and the list of these pages in the navigation of the site.

`make docs` writes them, a test compares them.
"""

import re
from pathlib import Path

from readme import DOCS, ROOT, table

from padcheck.judging.caller_rules import ALL_CODES
from padcheck.judging.rule import Code, is_code

FOLDER = DOCS / "codes"
SITE = ROOT / "zensical.toml"

_SEVERITIES = """\
`error`: a batch gives wrong results, or crashes, even if the caller does everything right. `warning`: the same happens
with the default or most common way of calling. `info`: worth knowing. `padcheck explain CODE` shows what a page says.\
"""

_CODE = re.compile(r"\bPAD\d{3}\b")
_ENTRIES = re.compile(r"(^ *# codes\n).*?(^ *# /codes\n)", re.DOTALL | re.MULTILINE)
_ISSUE = re.compile(r"\b([\w-]+/[\w.-]+)#(\d+)")


def pages() -> dict[Path, str]:
    """The content of each page, by its file."""
    return {FOLDER / f"{rule.code}.md": _page(rule) for rule in ALL_CODES} | {FOLDER / "README.md": _list()}


def navigation() -> str:
    """The configuration of the site, with the page of each code in its navigation."""
    entries = "".join(f'        "codes/{rule.code}.md",\n' for rule in ALL_CODES)
    return _ENTRIES.sub(rf"\g<1>{entries}\g<2>", SITE.read_text(encoding="utf-8"))


def _page(rule: Code) -> str:
    parts = [f"# {rule.code} {rule.name}", f"{rule.title()} Severity: {rule.severity.value}."]
    parts += [f"## {heading.rstrip(':')}\n\n{_shown(heading, text, rule.code)}" for heading, text in rule.sections()]
    parts.append("[All codes](README.md)")
    return "\n\n".join(parts) + "\n"


def _list() -> str:
    rows = [(f"[{each.code}]({each.code}.md)", each.name, each.severity.value, each.title()) for each in ALL_CODES]
    return f"# The codes\n\n{_SEVERITIES}\n\n{table(('code', 'name', 'severity', 'what it says'), rows)}\n"


def _shown(heading: str, text: str, own: str) -> str:
    return f"```python\n{text}\n```" if is_code(heading) else _linked(text, own)


def _linked(text: str, own: str) -> str:
    """The text with links to the pages of other codes, and to issues."""
    known = {rule.code for rule in ALL_CODES} - {own}
    text = _ISSUE.sub(r"[\g<0>](https://github.com/\1/issues/\2)", text)
    return _CODE.sub(lambda found: f"[{found[0]}]({found[0]}.md)" if found[0] in known else found[0], text)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, text in pages().items():
        file.write_text(text, encoding="utf-8")
    SITE.write_text(navigation(), encoding="utf-8")
