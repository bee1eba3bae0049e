"""Watches the user's own code while it runs: which batches are padded, and what the code does with them.

`patches` wraps the public calls of transformers, `watcher` receives them. `rows` recognises padded texts, `checks`
decide what to prove and `shadow` proves it with runs of the same rows alone. `results` follows what the code does with
a model's output.
"""
