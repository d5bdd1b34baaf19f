"""What does the operator itself do in an object store? Reads CURRENT, proves a store, releases and deletes data."""
