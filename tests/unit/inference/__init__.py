"""The core, stage by stage."""
