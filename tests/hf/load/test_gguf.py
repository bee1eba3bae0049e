"""Models in a GGUF file are found, measured as transformers loads them, and explained if they do not load."""

import importlib.util
import os
import sys
from collections.abc import Callable
from pathlib import Path

import model_folders as folders
import pytest
import torch
from conftest import Outcome, run_in_process
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

import padcheck as api
from padcheck.hf.float32.view import in_float32
from padcheck.hf.library.config_facts import quantization
from padcheck.hf.library.versions import DTYPE_ARGUMENT, READS_GENERATION_CONFIG_BESIDE_GGUF
from padcheck.hf.load.gguf import is_unpacked

pytest.importorskip("gguf", reason="the package gguf is not installed: pip install 'padcheck[gguf]'")

from gguf import GGMLQuantizationType as Kind
from gguf_files import write_llama

Padcheck = Callable[..., Outcome]
SHORT = ("--format", "json", "--max-new-tokens", "3")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The only file in its folder; tests do not change it."""
    return write_llama(_folder(tmp_path_factory.mktemp("gguf")) / "small-Q8_0.gguf")


def _folder(parent: Path) -> Path:
    folder = parent / "model"
    folder.mkdir()
    return folder


def load(file: Path, **options: object) -> torch.nn.Module:
    return AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=str(file), **options)


# Files that are measured


def test_path_folder_and_option_measure_the_same_model(padcheck: Padcheck, file: Path) -> None:
    folder = file.parent
    outcomes = [
        padcheck("compare", *model, *SHORT)
        for model in ((file,), (folder,), (folder, "--gguf-file", file.name), (file, "--tokenizer", folder))
    ]
    for outcome in outcomes:
        assert outcome.exit_code == 0, outcome.stderr
        model = outcome.report["model"]
        assert (model["gguf_file"], model["quantization"]) == (file.name, None)
        assert (model["model_type"], model["dtype"], model["weights"]) == ("llama", "float32", "pretrained")
        assert outcome.report["comparisons"] == outcomes[0].report["comparisons"]


def test_the_header_names_the_gguf_file(padcheck: Padcheck, file: Path) -> None:
    assert f"GGUF file: {file.name}\n" in padcheck("compare", file, "--max-new-tokens", "1").stdout
    assert f"GGUF file          {file.name}\n" in padcheck("inspect-tokenizer", file).stdout


def test_the_header_of_an_ordinary_model_names_no_gguf_file(padcheck: Padcheck) -> None:
    outcome = padcheck("inspect-tokenizer", "demo")
    assert "GGUF" not in outcome.stdout


def test_special_tokens_come_from_the_file(padcheck: Padcheck, file: Path) -> None:
    ids = padcheck("inspect-tokenizer", file, "--format", "json").report["special_token_ids"]
    named = {"pad": folders.PAD, "bos": folders.BOS, "eos": [folders.EOS]}
    # The tokenizer that transformers 4 builds has other ids than the file.
    own = AutoTokenizer.from_pretrained(file.parent, gguf_file=str(file))
    of_tokenizer = {"pad": own.pad_token_id, "bos": own.bos_token_id, "eos": [own.eos_token_id]}
    assert ids == {"tokenizer": of_tokenizer, "config": named, "generation_config": named}


def test_a_generation_config_next_to_the_file_is_used_if_transformers_reads_it(padcheck: Padcheck, tmp_path) -> None:
    file = write_llama(tmp_path / "small.gguf")
    folders.write_json(tmp_path / "generation_config.json", {"eos_token_id": 7})
    found = padcheck("inspect-tokenizer", file, "--format", "json").report["special_token_ids"]["generation_config"]
    assert found["eos"] == [load(file).generation_config.eos_token_id]
    assert found["eos"] == ([7] if READS_GENERATION_CONFIG_BESIDE_GGUF else [folders.EOS])


@pytest.mark.parametrize("kind", [Kind.F32, Kind.F16, Kind.BF16, Kind.Q4_0], ids=lambda kind: kind.name)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "auto"])
def test_every_kind_of_weights_is_unpacked_to_the_requested_dtype(
    padcheck: Padcheck, tmp_path: Path, kind: Kind, dtype: str
) -> None:
    file = write_llama(tmp_path / f"small-{kind.name}.gguf", kind=kind)
    outcome = padcheck("compare", file, "--dtype", dtype, *SHORT)
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.report["model"]["dtype"] == dtype.replace("auto", "float32")
    assert outcome.report["model"]["quantization"] is None


def test_a_16_bit_model_is_probed_in_float32_like_any_other(padcheck: Padcheck, file: Path) -> None:
    report = padcheck("compare", file, "--dtype", "bfloat16", *SHORT).report
    assert report["noise"]["float32_twin"]["error"] is None
    assert (report["arms"]["left_float32"]["error"], report["arms"]["forward"]["dtype"]) == (None, "float32")
    model = load(file, **{DTYPE_ARGUMENT: torch.bfloat16})
    with in_float32(model), torch.inference_mode():
        assert model(torch.tensor([[4, 5]])).logits.dtype == torch.float32


def test_weights_that_stay_in_blocks_count_as_quantized(file: Path) -> None:
    model = load(file)
    if not hasattr(model, "quantization_method"):
        pytest.skip("transformers 4 leaves no mark on a model of a GGUF file")
    assert is_unpacked(model)
    blocks = torch.nn.Parameter(torch.zeros(4, dtype=torch.uint8), requires_grad=False)
    model.lm_head.register_parameter("blocks", blocks)
    assert not is_unpacked(model)
    assert not is_unpacked(folders.build_model(folders.llama_config()))


def test_a_config_that_names_the_gguf_format_does_not_count_as_quantized() -> None:
    settings = {"quant_method": "gguf", "gguf_file": "x.gguf", "dequantize": False}
    assert quantization(LlamaConfig(quantization_config=settings)) == (None, None)


def test_a_model_in_memory_is_measured_and_left_as_it_was(file: Path) -> None:
    model, tokenizer = load(file), AutoTokenizer.from_pretrained(file.parent, gguf_file=str(file))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    report = api.compare(model, tokenizer, max_new_tokens=3)
    report.assert_ok()
    assert report.evidence.model.quantization is None
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_tiny_uses_the_architecture_and_the_tokenizer_of_the_file(padcheck: Padcheck, file: Path) -> None:
    outcome = padcheck("compare", file, "--tiny", *SHORT)
    assert outcome.exit_code == 0, outcome.stderr
    assert (outcome.report["model"]["weights"], outcome.report["model"]["gguf_file"]) == ("random", file.name)


def test_the_tokenizer_of_a_file_can_be_used_for_another_model(padcheck: Padcheck, file: Path, tmp_path: Path) -> None:
    folders.tokenizer_json(tmp_path)
    outcome = padcheck("compare", tmp_path, "--tokenizer", file, *SHORT)
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.report["model"]["gguf_file"] is None


def test_ordinary_weights_are_preferred_over_a_file_that_is_not_named(padcheck: Padcheck, tmp_path: Path) -> None:
    file = write_llama(folders.tokenizer_json(tmp_path) / "small.gguf")
    assert padcheck("compare", tmp_path, *SHORT).report["model"]["gguf_file"] is None
    # If there is a tokenizer.json, transformers 5 takes the vocabulary from it, and loads no special tokens.
    named = padcheck("compare", tmp_path, "--gguf-file", file.name, "--tokenizer", tmp_path, *SHORT)
    assert named.report["model"]["gguf_file"] == file.name


def test_a_file_of_that_name_in_the_current_folder_is_not_taken(
    padcheck: Padcheck, tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / file.name).write_text("no model", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    outcome = padcheck("compare", os.path.relpath(file.parent), "--gguf-file", file.name, *SHORT)
    assert outcome.exit_code == 0, outcome.stderr


def test_the_file_can_be_chosen_in_the_configuration(padcheck: Padcheck, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one.gguf", "two.gguf"):
        write_llama(_folder_named(tmp_path / name.removesuffix(".gguf")) / name)
        (tmp_path / name.removesuffix(".gguf") / "another.gguf").touch()
    (tmp_path / "padcheck.toml").write_text(
        'models = ["./one", "./two"]\nmax-new-tokens = 2\ngguf-file = "one.gguf"\n'
        '[model."./two"]\ngguf-file = "two.gguf"\n',
        encoding="utf-8",
    )
    outcome = padcheck("check", "--format", "json")
    assert outcome.exit_code == 0, outcome.stderr
    assert [report["model"]["gguf_file"] for report in outcome.report["reports"]] == ["one.gguf", "two.gguf"]


def _folder_named(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_progress_bars_of_the_conversion_are_not_drawn_in_reports_and_logs(file: Path) -> None:
    outcome = run_in_process("compare", file, *SHORT)
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.report["model"]["gguf_file"] == file.name
    assert "Converting" not in outcome.stderr


# Files that are not measured


@pytest.mark.parametrize("share", [0.9, 0.3, 0.02, 0])
@pytest.mark.parametrize("command", ["compare", "inspect-tokenizer"])
def test_a_file_that_was_cut_off(padcheck: Padcheck, tmp_path: Path, file: Path, command: str, share: float) -> None:
    content = file.read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(content[: int(share * len(content))])
    assert_explained(padcheck(command, cut), "cut.gguf", "cut off or damaged", "download it again")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("<html>404</html>" * 9, ("not a GGUF file", "web page", "Download")),
        ("version https://git-lfs.github.com/spec/v1\n", ("is a Git LFS pointer", "git lfs pull")),
    ],
)
def test_a_file_of_another_format(padcheck: Padcheck, tmp_path: Path, content: str, words: tuple[str, ...]) -> None:
    page = tmp_path / "page.gguf"
    page.write_text(content, encoding="utf-8")
    assert_explained(padcheck("compare", page), "page.gguf", *words)


def test_an_architecture_that_transformers_cannot_convert(padcheck: Padcheck, tmp_path: Path) -> None:
    file = write_llama(tmp_path / "new.gguf", architecture="llama_of_the_future")
    words = ("cannot convert the architecture", "llama_of_the_future", "Upgrade transformers", "safetensors")
    assert_explained(padcheck("compare", file), "new.gguf", *words)


def test_several_files_of_which_none_is_named(padcheck: Padcheck, tmp_path: Path, file: Path) -> None:
    for name in ("small-Q4_K_M.gguf", "small-Q8_0.gguf"):
        (tmp_path / name).write_bytes(file.read_bytes())
    assert_explained(padcheck("compare", tmp_path), "2 GGUF files", "small-Q4_K_M.gguf, small-Q8_0.gguf", "--gguf-file")
    assert padcheck("inspect-tokenizer", tmp_path, "--gguf-file", "small-Q8_0.gguf").exit_code == 0


def test_a_file_without_a_tokenizer(padcheck: Padcheck, tmp_path: Path, file: Path) -> None:
    bare = write_llama(tmp_path / "bare.gguf", with_tokenizer=False)
    assert_explained(padcheck("compare", bare), "bare.gguf", "no tokenizer", "--tokenizer")
    assert padcheck("compare", bare, "--tokenizer", file, *SHORT).exit_code == 0


def test_weights_that_are_missing_in_the_file(padcheck: Padcheck, tmp_path: Path) -> None:
    part = write_llama(tmp_path / "part.gguf", without={"blk.1.ffn_up.weight"})
    assert_explained(padcheck("compare", part), "missing", "model.layers.1.mlp.up_proj.weight", "llama-gguf-split")


def test_a_path_that_does_not_exist(padcheck: Padcheck, tmp_path: Path) -> None:
    for missing in (tmp_path / "gone.gguf", "gone.gguf"):
        assert_explained(padcheck("compare", missing), "There is no file", "gone.gguf")


def test_if_gguf_is_not_installed_the_extra_is_named(padcheck: Padcheck, file: Path, monkeypatch) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *args: None if name == "gguf" else find_spec(name))
    assert_explained(padcheck("compare", file), "gguf is not installed", "pip install 'padcheck[gguf]'")
    assert padcheck("inspect-tokenizer", "demo").exit_code == 0


def test_if_transformers_does_not_find_gguf_the_extra_is_named(file: Path, tmp_path: Path) -> None:
    (tmp_path / "gguf.py").write_text("", encoding="utf-8")  # a module of the same name without a version
    outcome = run_in_process("inspect-tokenizer", file, PYTHONPATH=os.pathsep.join([str(tmp_path), *sys.path]))
    assert_explained(outcome, "padcheck[gguf]")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("{folder}", "--gguf-file", "gone.gguf"), ("has no file gone.gguf", "small-Q8_0.gguf")),
        (("{file}", "--gguf-file", "small-Q8_0.gguf"), ("is already a GGUF file",)),
        (("demo", "--gguf-file", "gone.gguf"), ("has no file gone.gguf", "no GGUF file")),
        (("llama", "--tiny", "--gguf-file", "gone.gguf"), ("name of a model type",)),
        (("demo", "--gguf-file", ""), ("--gguf-file is empty",)),
    ],
)
def test_an_option_that_does_not_fit_is_a_usage_error(
    padcheck: Padcheck, file: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    outcome = padcheck("compare", *(each.format(folder=file.parent, file=file) for each in arguments))
    assert (outcome.exit_code, outcome.stdout) == (2, "")
    for word in words:
        assert word in outcome.stderr


def test_a_gguf_file_is_refused_for_an_adapter(padcheck: Padcheck, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    outcome = padcheck("compare", folders.adapter(_folder(tmp_path)), "--gguf-file", "small.gguf")
    assert outcome.exit_code == 2
    assert "is an adapter" in outcome.stderr


def assert_explained(outcome: Outcome, *words: str) -> None:
    """Exit code 3, and one message without a traceback."""
    assert outcome.exit_code == 3, outcome.stderr
    assert outcome.stdout == ""
    message = outcome.stderr[outcome.stderr.index("padcheck: ") :]
    assert 2 <= len(message.splitlines()) <= 3
    assert "Traceback" not in outcome.stderr
    for word in words:
        assert word in message
