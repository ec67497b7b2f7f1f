"""Bad input, and what must hold in spite of it."""
