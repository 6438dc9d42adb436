"""URIs of what lies in a PersistentVolumeClaim: ``pvc://CLAIM/PATH``."""

_SCHEME = "pvc://"


def claim_and_path(uri: str) -> tuple[str, str] | None:
    """Return the claim that a URI names, and the path in it; None where it names none."""
    if not uri.startswith(_SCHEME):
        return None
    claim, _, path = uri.removeprefix(_SCHEME).partition("/")
    return claim, path.strip("/")
