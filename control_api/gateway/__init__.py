"""The one way to RIS, PACS, report server and medical record: what may pass, for whom, and what is noted of it."""
