"""Answers from an immutable snapshot of all indicators: what matches something seen, at the speed of memory."""
