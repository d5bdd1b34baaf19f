"""The engine: a deterministic loop for each execution, an append-only log, one writer."""
