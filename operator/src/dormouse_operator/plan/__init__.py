"""The pure core: (dwf, observed, now) becomes actions and status."""
