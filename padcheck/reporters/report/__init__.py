"""The report on one model, one file a format."""
