"""The module in which a difference begins."""
