"""The report on one model: one module per format, and what every format says in `wording`."""
