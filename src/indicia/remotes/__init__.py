"""The only room from which HTTP goes out: to whom the settings name, within bounds."""
