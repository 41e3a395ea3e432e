"""The doors by HTTP: the Defender-compatible API under `/api`, our own under `/v1`."""
