from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from model_folders import Builder


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Builder], Path]:
    """The folder that a builder fills, once a session: tests read it and leave it as it is."""
    return cache(lambda build: build(tmp_path_factory.mktemp(build.__name__)))


@pytest.fixture(scope="session", autouse=True)
def modules_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Python code from a model's folder is copied into a folder of this session, not into the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path_factory.mktemp("modules")))
        yield
