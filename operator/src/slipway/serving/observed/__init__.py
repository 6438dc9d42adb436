"""What the cluster shows of a ModelDeployment."""
