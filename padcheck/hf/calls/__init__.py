"""Calls generate() or forward() once on a batch, and records tokens, logits and positions."""
