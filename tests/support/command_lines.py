"""Runs many command lines in one process, so torch is imported once. Reads and writes JSON lists on stdin and stdout.

Tests of huggingface_hub's environment variables need a separate process, because it reads them when it is imported.
"""

import contextlib
import io
import json
import sys
import time

from padcheck.cli.app import main


def run(arguments: list[str]) -> dict[str, object]:
    sys.argv = ["padcheck", *arguments]
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            exit_code = 0
        except SystemExit as ended:
            exit_code = int(ended.code or 0)
    stdout, stderr = (stream.buffer.getvalue().decode() for stream in (out, err))
    return {"exit_code": exit_code, "stdout": stdout, "stderr": stderr}


if __name__ == "__main__":
    time.sleep = lambda seconds: None  # the clients wait between two attempts
    json.dump([run(arguments) for arguments in json.load(sys.stdin)], sys.__stdout__)
