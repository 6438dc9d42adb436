"""Which archive new pods are to serve."""
