"""What Envoy costs: the same TorchServe asked through it and past it, in one run."""
