"""The demonstration: a digital head phantom with known volumes, sent to a node of one's own."""
