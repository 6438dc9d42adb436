"""The only user of the Kubernetes client: connection, cache, apply, events, lease."""
