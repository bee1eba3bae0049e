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
import time
from pathlib import Path
from typing import NamedTuple

from padcheck.demo import MODEL_FOLDER

ROOT = Path(__file__).parent.parent
REAL_HUB = Path(os.environ.get("PADCHECK_TEST_HUB", ROOT.parent / "shared" / "hub"))


class Pair(NamedTuple):
    """A command, the bare script that it is held against, and the largest ratio that is good enough."""

    name: str
    command: list[str]
    bare: list[str]
    target: float


def _inspect(name: str, folder: Path) -> Pair:
    bare = f"from transformers import AutoTokenizer; AutoTokenizer.from_pretrained({str(folder)!r})"
    command = [sys.executable, "-m", "padcheck", "inspect-tokenizer", str(folder)]
    return Pair(f"inspect-tokenizer {name}", command, [sys.executable, "-c", bare], 1.2)


def pairs() -> list[Pair]:
    """What is measured; the real tokenizers only where a hub cache holds them."""
    bare = [sys.executable, "-c", "import typer, rich"]
    light = [["--help"], ["rules"], ["explain", "PAD202"]]
    found = [Pair(" ".join(words), [sys.executable, "-m", "padcheck", *words], bare, 2.0) for words in light]
    found.append(_inspect("demo", MODEL_FOLDER))
    snapshots = sorted(REAL_HUB.glob("models--*/snapshots/*"))
    return found + [_inspect(snapshot.parent.parent.name.split("--")[-1], snapshot) for snapshot in snapshots]


def seconds(command: list[str]) -> float:
    """Wall time of one process, its output thrown away."""
    began = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - began


def main() -> None:
    """Prints a table and writes the same as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--output", type=Path, default=Path("bench.json"))
    options = parser.parse_args()
    os.environ |= {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "2"}
    results = []
    print(f"{'command':34}{'median':>9}{'bare':>9}{'ratio':>8}{'target':>8}")
    for pair in pairs():
        seconds(pair.command), seconds(pair.bare)  # files into the page cache
        timed = [(seconds(pair.command), seconds(pair.bare)) for _ in range(options.runs)]
        ratios = [command / bare for command, bare in timed]
        result = {
            "command": pair.name,
            "seconds": statistics.median(command for command, _ in timed),
            "bare_seconds": statistics.median(bare for _, bare in timed),
            "ratio": statistics.median(ratios),
            "ratio_range": [min(ratios), max(ratios)],
            "target": pair.target,
        }
        results.append(result)
        print(
            f"{pair.name:34}{result['seconds']:8.2f}s{result['bare_seconds']:8.2f}s{result['ratio']:8.2f}{pair.target:8.2f}",
            flush=True,
        )
    options.output.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
