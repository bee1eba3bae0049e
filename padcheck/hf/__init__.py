"""Loads models, runs them and measures: the only package that imports torch and transformers.

It returns evidence, which is plain numbers and strings. It does not judge and does not print.
"""
