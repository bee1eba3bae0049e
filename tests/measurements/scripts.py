"""Runs every script of tests/scripts under `padcheck run`, as a user does, and prints what was found."""

import argparse
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from watched_scripts import FAULTY, RIGHT, is_found, planted

from padcheck.core import json_io
from padcheck.core.run_report import Run
from padcheck.demo import MODEL_FOLDER


def main(every: int) -> int:
    """Prints the table of codes; ends with 1 if a mistake is missed or a right program is not silent.

    Args:
        every: Run only one of so many scripts.
    """
    faulty, right = FAULTY[::every], RIGHT[::every]
    missed, false_alarms = [], []
    found: dict[str, list[bool]] = defaultdict(list)
    for script in faulty:
        run = _run(script)
        for code, line in planted(script):
            found[code].append(is_found(run, code, line))
            if not found[code][-1]:
                missed.append(f"{script.name}:{line}: {code}")
        if len(run.findings) > len(list(planted(script))):
            false_alarms.append(script.name)
    false_alarms += [script.name for script in right if _run(script).findings]
    print("| code | mistakes | found at the line |\n| --- | --- | --- |")
    for code, outcomes in sorted(found.items()):
        print(f"| {code} | {len(outcomes)} | {sum(outcomes)} |")
    print(f"\n{len(faulty)} scripts with a mistake, missed: {missed or 'none'}")
    print(f"{len(right)} right scripts, false alarms in all scripts: {false_alarms or 'none'}")
    return int(bool(missed or false_alarms))


def _run(script: Path) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "run.json")
        command = [sys.executable, "-m", "padcheck", "run", "--quiet", "--report", f"json={report}"]
        subprocess.run([*command, str(script), str(MODEL_FOLDER)], capture_output=True, check=False)
        document = json_io.load(report)
    assert isinstance(document, Run)
    return document


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1, help="run only one of N scripts", metavar="N")
    sys.exit(main(parser.parse_args().every))
