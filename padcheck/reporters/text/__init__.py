"""Building blocks of text: safe text, terminal tables, markdown, and the view that a text is made for."""
