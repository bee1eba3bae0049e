"""Makes `python -m padcheck` run the command line."""

from padcheck.cli.app import main

main()
