"""What a script reports: how far it is, how fast, and when it should end."""
