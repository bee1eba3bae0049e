"""Decides what the evidence means: verdicts, findings, advice. Independent of measuring and of display."""
