"""Master data without a database."""
