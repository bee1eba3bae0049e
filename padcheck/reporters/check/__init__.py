"""A check to text, one file a format."""
