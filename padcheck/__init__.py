"""Shows what left and right padding do to a causal language model."""

__version__ = "0.1.0"
