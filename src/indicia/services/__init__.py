"""What the system does: one module per subject, one function per use case; the only room that opens transactions."""
