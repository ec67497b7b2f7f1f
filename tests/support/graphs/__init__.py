"""Networks as people export them, with small random weights."""
