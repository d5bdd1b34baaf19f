"""The engine: deterministic loop, event log, replay, activities."""
