"""By what an archive is believed: its encryption, as both kinds have it."""
