"""A new file that goes on from an event of another one."""
