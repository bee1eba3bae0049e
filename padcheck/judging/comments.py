"""Comments in the user's code that accept a finding: `# padcheck: ignore[PAD508] reason`."""

import re

_COMMENT = re.compile(r"#\s*padcheck:\s*ignore\[([^\]]*)\]\s*(.*)")


def accepted(code: str, source: str) -> str | None:
    """The reason why a line accepts this code; None if it does not, or gives no reason.

    Args:
        code: The code of a finding.
        source: The text of its line.
    """
    found = _COMMENT.search(source)
    if found is None or code not in [each.strip().upper() for each in found[1].split(",")]:
        return None
    return found[2].strip() or None
