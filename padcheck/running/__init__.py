"""Measures and judges: one model, several models, or every architecture, here or in other processes."""
