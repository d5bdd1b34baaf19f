"""Durable workflows in one SQLite file each."""
