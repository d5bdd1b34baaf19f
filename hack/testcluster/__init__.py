"""How does a real cluster with two nodes and an S3 server run on this machine? `hack/cluster` is the way in."""
