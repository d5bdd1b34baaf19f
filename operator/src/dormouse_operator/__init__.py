"""The operator: a pure core that plans pods, and the shells around it."""
