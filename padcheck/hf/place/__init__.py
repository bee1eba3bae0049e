"""Finds the module in which a difference begins."""
