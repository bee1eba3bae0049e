"""The README is short, begins with the two commands, and says what is true; its generated parts match the program."""

import re
from pathlib import Path

import msgspec
import pytest
import readme
from conftest import ROOT

from padcheck.core.exit_codes import ExitCode

TEXT = readme.README.read_text(encoding="utf-8")


@pytest.mark.parametrize("file", readme.blocks(), ids=lambda file: str(file.relative_to(ROOT)))
def test_generated_blocks_are_up_to_date(file: Path):
    text = fresh = file.read_text(encoding="utf-8")
    for name, block in readme.blocks()[file].items():
        fresh = readme.replace_block(fresh, name, block)
    assert fresh == text, "run: make docs"


def test_a_block_without_markers_is_an_error():
    with pytest.raises(ValueError, match="found 0 blocks named help"):
        readme.replace_block("# no markers", "help", "text")


def test_every_exit_code_is_explained():
    assert set(readme._EXIT_CODES) == set(ExitCode)


def test_it_is_short_and_starts_with_the_two_commands():
    assert len(TEXT.splitlines()) <= 150
    first_block = re.search(r"```console\n(.*?)```", TEXT, re.DOTALL)
    assert first_block[1].split("\n")[:2] == ["make demo", "make test"]


def test_its_badges_are_true():
    project = msgspec.toml.decode((ROOT / "pyproject.toml").read_bytes())["project"]
    badges = dict(re.findall(r"^\[!\[(.+?)\]\(.*?\)\]\((.+?)\)$", TEXT, re.MULTILINE))
    assert badges.keys() == {"CI", "Python 3.10+", "License: Apache-2.0"}
    assert project["requires-python"] == ">=3.10"
    assert project["license"] == "Apache-2.0"
    assert (ROOT / ".github" / "workflows" / Path(badges["CI"]).name).is_file()
