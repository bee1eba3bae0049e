"""The generated parts of the README match the program."""

import re

import readme

from padcheck.core.exit_codes import ExitCode


def test_generated_blocks_are_up_to_date():
    text = readme.README.read_text(encoding="utf-8")
    assert readme.refreshed(text) == text, "run: make docs"


def test_every_exit_code_is_explained():
    assert set(readme._EXIT_CODES) == set(ExitCode)


def test_it_starts_with_the_two_commands_and_its_pictures_exist():
    text = readme.README.read_text(encoding="utf-8")
    first_block = re.search(r"```console\n(.*?)```", text, re.DOTALL)
    assert first_block[1].split("\n")[:2] == ["make demo", "make test"]
    for picture in re.findall(r"!\[.*?\]\((.*?)\)", text):
        assert (readme.README.parent / picture).is_file()


def test_every_command_in_it_exists(padcheck):
    text = readme.README.read_text(encoding="utf-8")
    for command in set(re.findall(r"^padcheck ([a-z-]+)", text, re.MULTILINE)):
        assert padcheck(command, "--help").exit_code == 0
