"""A survey to text, one file a format."""
