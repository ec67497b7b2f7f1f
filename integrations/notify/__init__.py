"""Who is told when a job ends."""
