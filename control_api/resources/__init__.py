"""Views: parse, call, return."""
