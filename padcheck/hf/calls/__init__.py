"""One call of generate() or forward(): what goes in, and what is recorded."""
