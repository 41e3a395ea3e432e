"""Indicators to bytes, and what could not be expressed; one file per format."""
