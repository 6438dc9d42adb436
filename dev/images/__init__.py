"""Container images: built by buildah, kept in one OCI layout, loaded into the node."""
