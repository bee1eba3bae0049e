"""A program in a new folder, for the tests of `padcheck run`."""

import pytest


@pytest.fixture
def script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(text, name="my script.py"):
        (tmp_path / name).write_text(text)
        return name

    return write
