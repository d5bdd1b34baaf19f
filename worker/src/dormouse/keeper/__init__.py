"""The native sidecar: claims the epoch, restores, runs Litestream, fences, seals."""
