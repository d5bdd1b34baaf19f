"""Looks at workflows from outside: pulls their databases, replays them, and never touches the live ones."""
