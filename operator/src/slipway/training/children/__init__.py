"""The manifests of a TrainingJob's children; they know no status."""
