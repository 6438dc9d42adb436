"""Server pods: the archive, TorchServe's configuration, its start, its answers."""
