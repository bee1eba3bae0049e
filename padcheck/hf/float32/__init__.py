"""Runs a 16-bit model in float32, without a second copy of its weights."""
