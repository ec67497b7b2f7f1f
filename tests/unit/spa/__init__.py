"""The app's own units."""
