"""A Kubernetes cluster of one node on this machine, made of plain processes."""
