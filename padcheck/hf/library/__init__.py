"""Helpers for transformers and torch: Auto classes, configs, devices, versions, exceptions, memory."""
