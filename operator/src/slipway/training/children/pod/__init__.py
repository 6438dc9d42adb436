"""The pod template of the training Job, container by container."""
