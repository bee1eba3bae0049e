"""`python -m padcheck`."""

from padcheck.cli import main

main()
