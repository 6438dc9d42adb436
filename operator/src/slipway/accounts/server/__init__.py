"""What is said to the store's server: its administration and its sessions."""
