from pathlib import Path

import pytest

from padcheck.core.repository import from_repository_root, workflow_file


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder below the root of a repository, which is the working directory."""
    folder = tmp_path / "repo" / "sub"
    folder.mkdir(parents=True)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    monkeypatch.chdir(folder)
    return folder


def test_a_file_is_named_from_the_folder_with_git(folder, tmp_path):
    (folder.parent / ".git").mkdir()
    (folder / "padcheck.toml").touch()
    for file in (folder / "padcheck.toml", folder.parent / "sub" / ".." / "sub" / "padcheck.toml"):
        assert from_repository_root(file) == "sub/padcheck.toml"
    assert from_repository_root(tmp_path / "elsewhere.toml") == (tmp_path / "elsewhere.toml").as_posix()


def test_the_root_of_a_worktree_has_a_file_of_that_name(folder, monkeypatch):
    (folder.parent / ".git").write_text("gitdir: elsewhere")
    monkeypatch.chdir(folder)
    assert from_repository_root(Path("padcheck.toml")) == "sub/padcheck.toml"


def test_github_names_the_root_itself(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    assert from_repository_root(folder / "padcheck.toml") == "repo/sub/padcheck.toml"


def test_without_a_repository_it_is_the_path_from_the_working_directory(folder):
    assert from_repository_root(folder / "a" / "padcheck.toml") == "a/padcheck.toml"


def test_a_link_keeps_its_name(folder, tmp_path):
    (folder.parent / ".git").mkdir()
    (tmp_path / "blob").touch()
    (folder / "config.json").symlink_to(tmp_path / "blob")
    assert from_repository_root(folder / "config.json") == "sub/config.json"


def test_a_workflow_is_named_by_its_file(monkeypatch):
    monkeypatch.setenv("GITHUB_REPOSITORY", "owner/name")
    monkeypatch.setenv("GITHUB_WORKFLOW_REF", "owner/name/.github/workflows/ci.yml@refs/heads/a@b")
    assert workflow_file() == ".github/workflows/ci.yml"
    monkeypatch.setenv("GITHUB_WORKFLOW_REF", "other/shared/.github/workflows/ci.yml@v1")
    assert workflow_file() is None
    monkeypatch.delenv("GITHUB_WORKFLOW_REF")
    assert workflow_file() is None
