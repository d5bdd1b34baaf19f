"""The operator on a cluster: kopf's watches feed a cache, a queue turns changes into steps, the plan decides."""
