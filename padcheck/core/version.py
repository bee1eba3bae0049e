"""The version of padcheck."""

__version__ = "0.2.0"
