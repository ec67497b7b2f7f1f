"""Measurements: ratios side by side in one run, with the machine's facts; never a pass or a fail."""
