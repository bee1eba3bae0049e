"""Measures and judges one model, several models, or every architecture, in this process or in others."""
