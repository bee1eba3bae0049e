"""One model on several processes (tensor parallelism)."""
