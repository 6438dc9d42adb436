"""The launcher: the trainer container's main process, and what it runs."""
