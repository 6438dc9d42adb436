"""What the status of a ModelDeployment says."""
