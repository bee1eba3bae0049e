"""The command line: options in, report and exit code out."""
