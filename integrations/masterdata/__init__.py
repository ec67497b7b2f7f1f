"""What orders and results are coded with: medications, diagnoses and laboratory tests; no database in here."""
