"""What ``helm test`` runs: a tiny model is trained, packaged, served and asked, as a user would."""
