"""The vocabulary of indicators and the rules they obey: no I/O, no clock, no randomness."""
