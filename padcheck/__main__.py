"""The command `padcheck`, also as `python -m padcheck`."""

import os
import sys
from contextlib import suppress


def main() -> None:
    """Runs the command line. Ctrl-C ends it with 3, also while its modules are being imported."""
    try:
        from padcheck.cli import app  # noqa: PLC0415  Ctrl-C during this import is handled here

        app.main()
    except KeyboardInterrupt:
        with suppress(OSError):  # stderr may be closed
            os.write(2, b"padcheck: Interrupted: nothing was measured.\n")
        sys.exit(3)


if __name__ == "__main__":
    main()
