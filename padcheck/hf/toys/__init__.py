"""Any architecture at toy size, with random weights under which a padding fault shows."""
