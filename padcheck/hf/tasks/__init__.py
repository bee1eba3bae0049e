"""Runs the texts as a task does, such as classifying, and reads the numbers that a caller of that task reads."""
