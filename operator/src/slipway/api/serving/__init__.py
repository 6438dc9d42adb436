"""The kind ModelDeployment."""
