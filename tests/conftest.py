"""Setup of all tests: no network, one thread, quiet libraries, and the command line as a function."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REAL_HUB = Path(os.environ.get("PADCHECK_TEST_HUB", ROOT.parent / "shared" / "hub"))
"""A hub cache with the real tokenizers and configs of gpt2 and Llama-2-7b-hf, without weights."""

# huggingface_hub reads these when it is imported.
os.environ |= {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "OMP_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "COLUMNS": "100",
}
if REAL_HUB.is_dir():
    os.environ["HF_HUB_CACHE"] = str(REAL_HUB)
for name in ("HF_TOKEN", "HF_ENDPOINT", "FORCE_COLOR", "NO_COLOR", "PY_COLORS"):
    os.environ.pop(name, None)

needs_real_hub = pytest.mark.skipif(not REAL_HUB.is_dir(), reason=f"no hub cache with real tokenizers at {REAL_HUB}")


@dataclass(frozen=True)
class Outcome:
    """The result of a command."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict:
        return json.loads(self.stdout)

    @property
    def codes(self) -> set[str]:
        return {finding["code"] for finding in self.report["findings"]}


@pytest.fixture
def padcheck(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs a command line in this process, so torch is imported once."""
    from padcheck.cli.app import main

    monkeypatch.setattr("padcheck.running.shown_progress.INTERVAL", 3600.0)  # no line because a machine is slow

    def run(*args: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["padcheck", *map(str, args)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capfd.readouterr()
        return Outcome(int(ended.value.code or 0), captured.out, captured.err)

    return run


def run_in_process(*args: object, timeout: float = 300, **environ: str) -> Outcome:
    """Runs a command line in a new process, like a user's shell, with an empty stdin.

    stderr is without the lines of progress, which a slow machine has and a fast one does not.
    """
    done = subprocess.run(
        [sys.executable, "-m", "padcheck", *map(str, args)],
        env=os.environ | environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    stderr = re.sub(r"^padcheck: .* \| \d+:\d\d.*\n", "", done.stderr, flags=re.MULTILINE)
    return Outcome(done.returncode, done.stdout, stderr)
