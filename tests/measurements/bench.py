"""Speed and memory, as ratios of whole processes in one run: `make bench`.

Machines are noisy and differ. So each command is timed in turn with a bare script that does the minimum of the same
work, and the result is the median of the ratios of the pairs. Memory is the peak of the whole process.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from readme import MEASUREMENTS, table, write_block

from padcheck.demo import MODEL_FOLDER

ROOT = Path(__file__).parents[2]
REAL_HUB = Path(os.environ.get("PADCHECK_TEST_HUB", ROOT.parent / "shared" / "hub"))

PROMPTS = (
    "one two three four five six seven eight nine ten eleven twelve",
    "Monday Tuesday",
    "three plus four is",
    "January February March April May June July August",
    "Friday",
    "nine minus two is",
    "ten nine eight seven six",
    "seven plus seven plus one two three four five six",
)
USUAL = """
import sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, prompts, dtype = sys.argv[1], open(sys.argv[2]).read().splitlines(), getattr(torch, sys.argv[3])
tokenizer = AutoTokenizer.from_pretrained(folder)
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
for side in ("right", "left"):
    tokenizer.padding_side = side
    batch = tokenizer(prompts, return_tensors="pt", padding=True)
    print(tokenizer.batch_decode(model.generate(**batch, max_new_tokens=20, pad_token_id=tokenizer.pad_token_id)))
"""
"""What people write by hand: both sides, without a reference to compare them with."""

CALLS = """
import sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, prompts, calls = sys.argv[1], open(sys.argv[2]).read().splitlines(), int(sys.argv[3])
tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(folder).eval()
for number in range(calls):
    batch = tokenizer(prompts, return_tensors="pt", padding=True)
    positions = (batch.attention_mask.cumsum(1) - 1).clamp(min=0)
    with torch.no_grad():
        print(model(**batch, position_ids=positions).logits[:, -1].argmax(-1))
    if number < 3:
        print(tokenizer.batch_decode(model.generate(**batch, max_new_tokens=20)))
"""
"""A right program, for `padcheck run`: 3 calls of generate() and any number of forward()."""


class Pair(NamedTuple):
    """A command, the bare script that it is compared with, and the largest acceptable ratios.

    `memory_target` is None if the bare script does not do the work that takes the memory.
    """

    name: str
    command: list[str]
    bare: list[str]
    target: float
    memory_target: float | None = None


class Cost(NamedTuple):
    """What one process took: wall time and peak memory."""

    seconds: float
    mebibytes: float


def pairs(folder: Path) -> list[Pair]:
    """What is measured, with files in `folder`; the real tokenizers only if a hub cache has them."""
    bare = [sys.executable, "-c", "import typer, rich"]
    light = [["--help"], ["rules"], ["explain", "PAD202"]]
    found = [Pair(" ".join(words), [sys.executable, "-m", "padcheck", *words], bare, 2.0) for words in light]
    found.append(_inspect("demo", MODEL_FOLDER))
    snapshots = sorted(REAL_HUB.glob("models--*/snapshots/*"))
    found += [_inspect(snapshot.parent.parent.name.split("--")[-1], snapshot) for snapshot in snapshots]
    # In another process: a forked child starts with the memory of its parent, and that counts into its peak.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        gpt2, smollm2 = (pool.submit(build, folder).result() for build in (_gpt2, _smollm2))
    return [
        *found,
        _compare("demo", MODEL_FOLDER, folder, 1.5),
        _compare("GPT-2's size", gpt2, folder, 1.5),
        _compare("SmolLM2", smollm2, folder, 1.5),
        _compare("SmolLM2 in bfloat16", smollm2, folder, 2.0, dtype="bfloat16"),
        _run("100 padded calls", smollm2, folder, PROMPTS[1:3], 100, target=1.1),
        _run("3 padded calls", smollm2, folder, PROMPTS[1:3], 3, target=2.0),
        _run("100 calls without pads", smollm2, folder, PROMPTS[1:2] * 2, 100, target=1.05),
    ]


def _inspect(name: str, model: Path) -> Pair:
    bare = f"from transformers import AutoTokenizer; AutoTokenizer.from_pretrained({str(model)!r})"
    command = [sys.executable, "-m", "padcheck", "inspect-tokenizer", str(model)]
    return Pair(f"inspect-tokenizer {name}", command, [sys.executable, "-c", bare], 1.2)


def _compare(name: str, model: Path, folder: Path, target: float, dtype: str = "float32") -> Pair:
    script, prompts = folder / "usual.py", folder / "prompts.txt"
    script.write_text(USUAL)
    prompts.write_text("\n".join(PROMPTS))
    words = ["compare", str(model), "--prompts", str(prompts), "--max-new-tokens", "20", "--dtype", dtype]
    bare = [sys.executable, str(script), str(model), str(prompts), dtype]
    return Pair(f"compare {name}", [sys.executable, "-m", "padcheck", *words], bare, target, memory_target=1.1)


def _run(name: str, model: Path, folder: Path, texts: Sequence[str], calls: int, *, target: float) -> Pair:
    script, prompts = folder / "calls.py", folder / f"{name}.txt"
    script.write_text(CALLS)
    prompts.write_text("\n".join(texts))
    words = [str(script), str(model), str(prompts), str(calls)]
    command = [sys.executable, "-m", "padcheck", "run", *words]
    return Pair(f"run, {name}", command, [sys.executable, *words], target, memory_target=1.1)


def _gpt2(folder: Path) -> Path:
    """GPT-2 at its real size: random weights, the demo's tokenizer, and no eos, so every text has full length."""
    import torch
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    model = folder / "gpt2"
    GPT2LMHeadModel(GPT2Config(eos_token_id=None)).save_pretrained(model)
    AutoTokenizer.from_pretrained(MODEL_FOLDER).save_pretrained(model)
    return model


def _smollm2(folder: Path) -> Path:
    """SmolLM2 with its real weights, saved as safetensors, which load faster than GGUF."""
    import torch
    from real_models import SMOLLM2, build, tokenizer

    model = folder / "smollm2"
    build(SMOLLM2, torch.float32).save_pretrained(model)
    tokenizer(SMOLLM2).save_pretrained(model)
    return model


def cost(command: list[str]) -> Cost:
    """What one process takes. Its output is discarded."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Cost(time.perf_counter() - began, usage.ru_maxrss / 2**10)


def measured(pair: Pair, runs: int) -> dict[str, object]:
    """Runs command and script in turn, prints the line of the table, and returns it."""
    cost(pair.command), cost(pair.bare)  # warms the page cache
    costs = [(cost(pair.command), cost(pair.bare)) for _ in range(runs)]
    ratios = [command.seconds / bare.seconds for command, bare in costs]
    command, bare = (Cost(*map(statistics.median, zip(*column, strict=True))) for column in zip(*costs, strict=True))
    ratio, memory_ratio = statistics.median(ratios), command.mebibytes / bare.mebibytes
    memory = (
        "" if pair.memory_target is None else f"{command.mebibytes:9.0f}{memory_ratio:8.2f}{pair.memory_target:8.2f}"
    )
    print(
        f"{pair.name:30}{command.seconds:8.2f}s{bare.seconds:8.2f}s{ratio:8.2f}{pair.target:8.2f}{memory}", flush=True
    )
    return {
        "command": pair.name,
        "seconds": command.seconds,
        "bare_seconds": bare.seconds,
        "ratio": ratio,
        "ratio_range": [min(ratios), max(ratios)],
        "target": pair.target,
        "mebibytes": command.mebibytes,
        "bare_mebibytes": bare.mebibytes,
        "memory_ratio": memory_ratio,
        "memory_target": pair.memory_target,
    }


def main() -> None:
    """Prints a table and writes it as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="only commands with this text in their name")
    parser.add_argument("--output", type=Path, default=Path("bench.json"))
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the lines of the commands that run a model into docs/measurements.md",
    )
    options = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2"}
    print(f"{'command':30}{'median':>9}{'bare':>9}{'ratio':>8}{'target':>8}{'MiB':>9}{'ratio':>8}{'target':>8}")
    with tempfile.TemporaryDirectory() as folder:
        results = [measured(pair, options.runs) for pair in pairs(Path(folder)) if options.only in pair.name]
    options.output.write_text(json.dumps(results, indent=2) + "\n")
    if options.write:
        write_block(MEASUREMENTS, "bench", _table(results))


def _table(results: list[dict[str, Any]]) -> str:
    rows = [
        (
            str(each["command"]).removeprefix("compare "),
            f"{each['seconds']:.1f}",
            f"{each['bare_seconds']:.1f}",
            f"{each['ratio']:.2f}",
            f"{each['memory_ratio']:.2f}",
        )
        for each in results
        if each["memory_target"] is not None
    ]
    return table(("`make bench`", "seconds", "the script", "ratio", "peak memory, ratio"), rows)


if __name__ == "__main__":
    main()
