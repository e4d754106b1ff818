"""Panels of a report on LEDs: one a device and a series, labelled from the sample sheet."""
DRAWERS = ()
