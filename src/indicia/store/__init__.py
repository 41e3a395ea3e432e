"""What must survive a restart; the only room that speaks SQL."""
