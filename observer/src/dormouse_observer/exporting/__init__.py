"""A copy of a file that can be handed to somebody else."""
