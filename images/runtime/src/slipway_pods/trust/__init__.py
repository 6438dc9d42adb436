"""What an archive is believed by: encryption and signatures. It knows no store and no server."""
