"""Names a file as annotations and code scanning expect it: as seen from the root of its repository.

Source: docs.github.com, "Variables reference" of GitHub Actions.
"""

import os
from collections.abc import Iterator
from pathlib import Path


def from_repository_root(file: Path) -> str:
    """The path of the file from the root of its repository, with slashes.

    Outside of a repository it is the path from the working directory, or an absolute path if the file is elsewhere.
    """
    file = file.parent.resolve() / file.name  # the file itself may be a link, as in the cache of the hub
    inside = (root for root in _roots(file) if file.is_relative_to(root))
    root = next(inside, None)
    return file.as_posix() if root is None else file.relative_to(root).as_posix()


def workflow_file() -> str | None:
    """The file of the GitHub workflow that runs this process, in the same form; None outside of GitHub Actions."""
    # Such as octocat/hello-world/.github/workflows/my-workflow.yml@refs/heads/my_branch
    reference, repository = os.environ.get("GITHUB_WORKFLOW_REF", ""), os.environ.get("GITHUB_REPOSITORY", "")
    file = reference.partition("@")[0].removeprefix(f"{repository}/")
    return file if file.startswith(".github/") else None


def _roots(file: Path) -> Iterator[Path]:
    if workspace := os.environ.get("GITHUB_WORKSPACE"):
        yield Path(workspace).resolve()
    yield from (folder for folder in file.parents if (folder / ".git").exists())  # a file in a worktree
    yield Path.cwd().resolve()
