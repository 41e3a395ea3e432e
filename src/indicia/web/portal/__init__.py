"""The pages for the people who manage indicators by hand: one module per page, and what all pages share."""
