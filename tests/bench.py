"""Speed, as ratios of whole processes in one run: `make bench`.

Machines are noisy and differ, so each command is timed in turn with a bare script that does the least of the same work,
and what counts is the median of the ratios pair by pair.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from padcheck.demo import MODEL_FOLDER

ROOT = Path(__file__).parent.parent
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
from transformers import AutoModelForCausalLM, AutoTokenizer
folder, prompts = sys.argv[1], open(sys.argv[2]).read().splitlines()
tokenizer = AutoTokenizer.from_pretrained(folder)
tokenizer.pad_token = tokenizer.eos_token
model = AutoModelForCausalLM.from_pretrained(folder).eval()
for side in ("right", "left"):
    tokenizer.padding_side = side
    batch = tokenizer(prompts, return_tensors="pt", padding=True)
    print(tokenizer.batch_decode(model.generate(**batch, max_new_tokens=20, pad_token_id=tokenizer.pad_token_id)))
"""
"""What people write by hand: both sides, and no reference to hold them against."""


class Pair(NamedTuple):
    """A command, the bare script that it is held against, and the largest ratio that is good enough."""

    name: str
    command: list[str]
    bare: list[str]
    target: float


def pairs(folder: Path) -> list[Pair]:
    """What is measured, with files in `folder`; the real tokenizers only where a hub cache holds them."""
    bare = [sys.executable, "-c", "import typer, rich"]
    light = [["--help"], ["rules"], ["explain", "PAD202"]]
    found = [Pair(" ".join(words), [sys.executable, "-m", "padcheck", *words], bare, 2.0) for words in light]
    found.append(_inspect("demo", MODEL_FOLDER))
    snapshots = sorted(REAL_HUB.glob("models--*/snapshots/*"))
    found += [_inspect(snapshot.parent.parent.name.split("--")[-1], snapshot) for snapshot in snapshots]
    return [*found, _compare("demo", MODEL_FOLDER, folder, 1.1), _compare("GPT-2", _gpt2(folder), folder, 1.0)]


def _inspect(name: str, model: Path) -> Pair:
    bare = f"from transformers import AutoTokenizer; AutoTokenizer.from_pretrained({str(model)!r})"
    command = [sys.executable, "-m", "padcheck", "inspect-tokenizer", str(model)]
    return Pair(f"inspect-tokenizer {name}", command, [sys.executable, "-c", bare], 1.2)


def _compare(name: str, model: Path, folder: Path, target: float) -> Pair:
    script, prompts = folder / "usual.py", folder / "prompts.txt"
    script.write_text(USUAL)
    prompts.write_text("\n".join(PROMPTS))
    words = ["compare", str(model), "--prompts", str(prompts), "--max-new-tokens", "20"]
    bare = [sys.executable, str(script), str(model), str(prompts)]
    return Pair(f"compare {name}", [sys.executable, "-m", "padcheck", *words], bare, target)


def _gpt2(folder: Path) -> Path:
    """GPT-2 at its own size: random weights, no eos, so that every text gets its length, and the demo's tokenizer."""
    import torch
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    model = folder / "gpt2"
    GPT2LMHeadModel(GPT2Config(eos_token_id=None)).save_pretrained(model)
    AutoTokenizer.from_pretrained(MODEL_FOLDER).save_pretrained(model)
    return model


def seconds(command: list[str]) -> float:
    """Wall time of one process, its output thrown away."""
    began = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - began


def measured(pair: Pair, runs: int) -> dict[str, object]:
    """Times command and script in turn, and prints the line of the table."""
    seconds(pair.command), seconds(pair.bare)  # files into the page cache
    timed = [(seconds(pair.command), seconds(pair.bare)) for _ in range(runs)]
    ratios = [command / bare for command, bare in timed]
    command, bare = (statistics.median(column) for column in zip(*timed, strict=True))
    ratio = statistics.median(ratios)
    print(f"{pair.name:34}{command:8.2f}s{bare:8.2f}s{ratio:8.2f}{pair.target:8.2f}", flush=True)
    return {
        "command": pair.name,
        "seconds": command,
        "bare_seconds": bare,
        "ratio": ratio,
        "ratio_range": [min(ratios), max(ratios)],
        "target": pair.target,
    }


def main() -> None:
    """Prints a table and writes the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="commands whose name has this in it")
    parser.add_argument("--output", type=Path, default=Path("bench.json"))
    options = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2"}
    print(f"{'command':34}{'median':>9}{'bare':>9}{'ratio':>8}{'target':>8}")
    with tempfile.TemporaryDirectory() as folder:
        results = [measured(pair, options.runs) for pair in pairs(Path(folder)) if options.only in pair.name]
    options.output.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
