"""The sidecar of a training pod: metrics, the upload, checkpoints."""
