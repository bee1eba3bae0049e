"""What all rooms share: evidence, report, settings, errors, JSON. Nothing here imports torch or prints."""
