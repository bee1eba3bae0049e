"""Building blocks of text output: safe text, tables, markdown, the view."""
