"""What every format says about a report, in the same words: plain strings without layout, one module per subject."""
