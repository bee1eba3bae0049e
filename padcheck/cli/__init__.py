"""The command line: reads the options, writes the report, sets the exit code."""
