"""The version of padcheck."""

__version__ = "0.1.0"
