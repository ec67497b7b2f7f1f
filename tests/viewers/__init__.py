"""What radiologists see: our results in a real viewer, in a real browser."""
