"""The JSON Schema of `[tool.padcheck]`, for editors: `make docs` writes it, a test compares it."""

import json
from pathlib import Path
from typing import Any, get_args

import msgspec

from padcheck.cli import option_groups
from padcheck.cli.config_file import Section
from padcheck.reporters import Format

SCHEMA = Path(__file__).parents[2] / "docs" / "padcheck.schema.json"

_DESCRIPTIONS = {
    "models": "Hub ids, local folders, GGUF files, or demo.",
    "model": "Settings of one model, by its name in models.",
    "report": "Reports to write: the file for each format.",
    "prompts": "The prompts.",
    "prompts_file": 'File with one prompt per line, JSONL with "prompt" or "messages", CSV, Parquet, or a dataset.',
    "ignore": "Codes or prefixes of codes to ignore, each with a reason.",
}
"""Descriptions that differ from the help text of the option, or of keys that are no option."""


def schema() -> dict[str, Any]:
    """The schema, with the help texts of the options as descriptions."""
    found: dict[str, Any] = msgspec.json.schema(Section)
    for definition in found["$defs"].values():
        for key, each in definition["properties"].items():
            each["description"] = _description(key.replace("-", "_"))
    found["$defs"]["Section"]["properties"]["report"]["propertyNames"] = {"enum": [fmt.value for fmt in Format]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://github.com/padcheck/padcheck/raw/main/docs/padcheck.schema.json",
        "title": "padcheck.toml, or [tool.padcheck] in pyproject.toml",
        **found,
    }


def written() -> str:
    """The content of the schema file."""
    return json.dumps(schema(), indent=2) + "\n"


def _description(name: str) -> str:
    groups = [group for group in vars(option_groups).values() if isinstance(group, dict) and name in group]
    return _DESCRIPTIONS[name] if name in _DESCRIPTIONS else str(get_args(groups[0][name])[1].help)


if __name__ == "__main__":
    SCHEMA.write_text(written(), encoding="utf-8")
