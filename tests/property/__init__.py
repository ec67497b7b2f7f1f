"""Property tests: whatever a hospital sends, the answer lies where it belongs."""
