"""What lies in the object store, and the pure rules for reading and writing it."""
