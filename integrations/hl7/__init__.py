"""Reports as HL7 v2 messages, for hospitals whose systems take nothing newer."""
