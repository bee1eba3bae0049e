"""Builds any architecture at toy size, with random weights that make a padding fault visible (--tiny)."""
