"""Looking at workflow databases from outside."""
