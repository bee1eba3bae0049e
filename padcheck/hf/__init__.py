"""Loads, runs and measures: the only package that imports torch and transformers.

What leaves it is evidence: plain numbers and strings. It judges nothing and prints nothing.
"""
