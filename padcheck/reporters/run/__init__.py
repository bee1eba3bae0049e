"""A watched program: one module per format, and what every format says in `wording`."""
