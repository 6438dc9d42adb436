"""Types of fields that both kinds have."""
