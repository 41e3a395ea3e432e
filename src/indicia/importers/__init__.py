"""Bytes to indicators and problems; one file per format, listed in `indicia.importers.formats`."""
