"""What is known of the cluster: watches, and the cache of what they bring."""
