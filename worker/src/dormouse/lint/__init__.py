"""What may come out differently when a workflow's code runs again? Found by reading it; nothing is imported or run."""
