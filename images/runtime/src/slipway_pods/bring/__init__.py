"""Init containers of training pods: sources and inputs."""
