"""Every command and all Python of the README and the site runs, on toys that have the names that the pages use."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import gguf_files
import model_folders
import pages
import pytest
import torch
import transformers
from conftest import run_in_process
from real_models import CACHE, SMOLLM2
from zoo.families import tokenizer
from zoo.heads import classifier

pytestmark = pytest.mark.skipif(
    transformers.__version__ < "5", reason="the pages name architectures that came with transformers 5"
)

NOT_RUN = {
    "make demo": "CI runs it",
    "make test": "it runs this test",
    "pip install": "needs a network",
    "pip download": "needs a network",
    "pipx install": "needs a network",
    "uvx": "needs a network",
    "unzip": "unpacks what pip downloaded",
    "padcheck compare gpt2 --device cuda": "needs a GPU",
    "torchrun": "needs a GPU for each process; tests/hf/parallel starts it with two processes on a CPU",
    "padcheck check --ray": "needs a cluster; tests/running/test_ray_pool.py starts one",
    "padcheck survey --ray": "needs a cluster; tests/running/test_ray_pool.py starts one",
}
"""Commands that this test does not run, by how they begin, and why."""

ENDS_WITH = {
    "padcheck compare demo --fail-on warning": 1,
    "padcheck run answers.py": 1,
    "padcheck survey llama qwen3_next": 1,  # llama with dynamic RoPE cannot be padded
}
"""The exit codes that are not 0."""

ANSWERS = pages.code(pages.DOCS / "tutorial.md", "python")[0]
SCORE = """
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("gpt2")
model = AutoModelForCausalLM.from_pretrained("gpt2")
batch = tokenizer(["the big dog", "mat"], padding=True, padding_side="right", return_tensors="pt")
with torch.no_grad():
    logits = model(**batch).logits
print(logits[range(2), batch.attention_mask.sum(1) - 1].argmax(-1))
"""

FILES = {
    "answers.py": ANSWERS,
    "score.py": SCORE,
    "mypackage/train.py": SCORE,
    "test_own.py": f"def test_own():\n    exec({SCORE!r})\n",
    "prompts.txt": "the big dog\nmat\n",
    "answers.txt": " and the cat\n dog\n",
    "questions.jsonl": '{"prompt": "the big", "choices": [" dog", " cat"]}\n{"prompt": "mat", "choices": [" a"]}\n',
    "padcheck.toml": 'models = ["gpt2", "./my-model"]\n',
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that the pages name: toys with the names of models, prompts and scripts."""
    folder = tmp_path_factory.mktemp("user")
    for model in ("gpt2", "my-model", "my-embedder", "meta-llama/Llama-2-7b-hf", "meta-llama/Llama-3.1-70B"):
        (folder / model).mkdir(parents=True)
        model_folders.tokenizer_json(folder / model)
    for file in ("model-Q4_K_M.gguf", "SmolLM2-135M-Instruct.Q4_1.gguf"):
        gguf_files.write_llama(folder / file)
    (folder / "my-adapter").mkdir()
    model_folders.adapter(folder / "my-adapter")
    (folder / "my-reward-model").mkdir()
    classifier(torch.float32).save_pretrained(folder / "my-reward-model")
    tokenizer().save_pretrained(folder / "my-reward-model")
    for file, text in FILES.items():
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def own_folder(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the folder for one page, in which commands run. The copy shares the weights."""
    own = tmp_path / "user"
    shutil.copytree(folder, own)
    monkeypatch.chdir(own)
    monkeypatch.setenv("PYTHONPATH", str(pages.ROOT))
    return own


def is_run(command: str) -> bool:
    return not command.startswith(tuple(NOT_RUN))


@pytest.mark.parametrize("page", [page for page in pages.WRITTEN if pages.commands(page)], ids=pages.name)
def test_the_commands_of_a_page_run(page, padcheck, own_folder):
    for command in filter(is_run, pages.commands(page)):
        program, *arguments = shlex.split(command)
        if program == "padcheck":
            done = padcheck(*arguments)
            code, told = done.exit_code, f"{done.stdout}\n{done.stderr}"
        else:
            words = {"python": [], "pytest": ["-m", "pytest", "-p", "no:cacheprovider"]}[program]
            done = subprocess.run([sys.executable, *words, *arguments], capture_output=True, text=True, check=False)
            code, told = done.returncode, f"{done.stdout}\n{done.stderr}"
        assert code == ENDS_WITH.get(command, 0), f"{command}\n{told}"


def test_what_is_not_run_is_on_a_page():
    shown = [command for page in pages.WRITTEN for command in pages.commands(page)]
    for beginning in NOT_RUN:
        assert any(command.startswith(beginning) for command in shown), beginning
    assert set(ENDS_WITH) <= set(shown)


@pytest.mark.parametrize("page", [page for page in pages.WRITTEN if pages.code(page, "python")], ids=pages.name)
def test_the_python_of_a_page_runs(page, own_folder, padcheck):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from padcheck.pytest_plugin import Padcheck

    assert padcheck("compare", "gpt2", "--format", "json", "--output", "report.json").exit_code == 0
    model, words = AutoModelForCausalLM.from_pretrained("gpt2"), AutoTokenizer.from_pretrained("gpt2")
    batch = words(["the big dog", "mat"], padding=True, padding_side="left", return_tensors="pt")
    names = {"model": model, "tokenizer": words, "batch": batch, "logits": model(**batch).logits}
    for block in pages.code(page, "python"):
        exec(compile(block, str(page), "exec"), names)
        for test in [name for name in names if name.startswith("test_")]:
            names.pop(test)(Padcheck(), model, words)


def fixed(script: str) -> str:
    """The script of the tutorial with the line that the tutorial changes."""
    line = pages.code(pages.DOCS / "tutorial.md", "python")[1]
    return re.sub(r"^batch = .*\n", line, script, flags=re.MULTILINE)


def test_the_script_of_the_tutorial_is_wrong_where_it_says_and_its_fix_is_right(own_folder):
    assert "answers.py:9: PAD501" in run_in_process("run", "answers.py").stderr
    (own_folder / "answers.py").write_text(fixed(ANSWERS), encoding="utf-8")
    assert run_in_process("run", "answers.py").exit_code == 0


@pytest.mark.skipif(not (CACHE / SMOLLM2.file).exists(), reason="no real weights; make real downloads them")
def test_the_tutorial_shows_what_the_real_model_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / SMOLLM2.file).symlink_to(CACHE / SMOLLM2.file)
    (tmp_path / "answers.py").write_text(ANSWERS, encoding="utf-8")
    answers, found, corrected, *_ = pages.code(pages.DOCS / "tutorial.md", "text")
    done = run_in_process("run", "answers.py", COLUMNS="80")
    assert done.stdout == answers
    assert found in done.stderr
    (tmp_path / "answers.py").write_text(fixed(ANSWERS), encoding="utf-8")
    assert run_in_process("run", "answers.py").stdout == corrected
