"""Indicia keeps an organisation's indicators of compromise, decides with them, and enforces the decision."""
