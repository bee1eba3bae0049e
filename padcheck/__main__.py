"""`python -m padcheck`."""

from padcheck.cli.app import main

main()
