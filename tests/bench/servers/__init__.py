"""What serves one model best: TorchServe, the Python server, KServe's server and LitServe."""
