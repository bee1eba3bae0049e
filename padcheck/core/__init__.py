"""The types and facts that all packages share. Nothing here imports torch or writes to the screen."""
