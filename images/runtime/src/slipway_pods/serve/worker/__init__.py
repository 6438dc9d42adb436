"""What runs in each worker of TorchServe besides its own code."""
