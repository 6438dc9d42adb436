"""What a Secret holds of the store's certificate, and how it is renewed in time.

``ca.crt`` lists the authorities that clients are to trust; ``ca.key`` has the keys of those that
sign or will; ``tls.crt`` and ``tls.key`` are the server's. An authority's successor is listed for
some days before it signs, so that every client knows it by then.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from slipway.accounts.certificate.authority import (
    Pair,
    belongs,
    host_names,
    is_worn,
    new_authority,
    new_certificate,
    pem,
)

AUTHORITIES = "ca.crt"
"""Key of the Secret with the certificates of the authorities, the oldest first."""
AUTHORITY_KEYS = "ca.key"
"""Key of the Secret with the private keys of the authorities that sign, or will."""
CERTIFICATE = "tls.crt"
"""Key of the Secret with the server's certificate."""
CERTIFICATE_KEY = "tls.key"
"""Key of the Secret with the server's private key."""
ANNOUNCED = timedelta(days=7)
"""How long an authority's successor is listed before it signs."""

_KEY = re.compile(r"-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----")
NewKey = Callable[[], ec.EllipticCurvePrivateKey]


def new_key() -> ec.EllipticCurvePrivateKey:
    """Return a new random private key."""
    return ec.generate_private_key(ec.SECP256R1())


def renewed(
    held: Mapping[str, str], host: str, now: datetime, make_key: NewKey = new_key
) -> Mapping[str, str]:
    """Return what a Secret that holds ``held`` is to hold for a server of a host name.

    That is ``held`` itself while nothing is missing, damaged or due. What it lists of authorities
    stays listed for as long as it holds.
    """
    known = _Authorities.parsed(held, now)
    authorities = known.with_successor(now, make_key)
    signer = authorities.signer(now)
    server = _server(held)
    if server is None or not authorities.stand_for(server.certificate, host, now):
        server = new_certificate(signer, make_key(), host, now)
    elif authorities.listed == _certificates(held.get(AUTHORITIES, "")):
        return held
    return {
        AUTHORITIES: "".join(pem(each) for each in authorities.listed),
        AUTHORITY_KEYS: "".join(pair.key_pem() for pair in authorities.signing(signer)),
        CERTIFICATE: pem(server.certificate),
        CERTIFICATE_KEY: server.key_pem(),
    }


@dataclass(frozen=True)
class _Authorities:
    """The authorities that are listed, and those of them whose keys are there."""

    listed: list[x509.Certificate]
    pairs: list[Pair]

    @classmethod
    def parsed(cls, held: Mapping[str, str], now: datetime) -> "_Authorities":
        every = _certificates(held.get(AUTHORITIES, ""))
        listed = [each for each in every if now < each.not_valid_after_utc]
        keys = [_private_key(text) for text in _KEY.findall(held.get(AUTHORITY_KEYS, ""))]
        pairs = [Pair(each, key) for each in listed for key in keys if key and belongs(each, key)]
        return cls(listed, pairs)

    def with_successor(self, now: datetime, make_key: NewKey) -> "_Authorities":
        """Return these, with one more where the newest is missing or has had most of its life."""
        if self.pairs and not is_worn(self.pairs[-1].certificate, now):
            return self
        made = new_authority(make_key(), now)
        return _Authorities([*self.listed, made.certificate], [*self.pairs, made])

    def signer(self, now: datetime) -> Pair:
        """Return the newest authority that clients have had time to learn, or the oldest."""
        known = [
            pair for pair in self.pairs if pair.certificate.not_valid_before_utc + ANNOUNCED <= now
        ]
        return known[-1] if known else self.pairs[0]

    def signing(self, signer: Pair) -> list[Pair]:
        """Return those whose keys are still needed: the one that signs, and its successors."""
        return self.pairs[self.pairs.index(signer) :]

    def stand_for(self, server: x509.Certificate, host: str, now: datetime) -> bool:
        """Tell whether a server's certificate is theirs, for the host, and not due."""
        if is_worn(server, now) or list(host_names(server)) != [host]:
            return False
        return any(_is_from(server, each) for each in self.listed)


def _server(held: Mapping[str, str]) -> Pair | None:
    certificates = _certificates(held.get(CERTIFICATE, ""))
    key = _private_key(held.get(CERTIFICATE_KEY, ""))
    if key is None or len(certificates) != 1 or not belongs(certificates[0], key):
        return None
    return Pair(certificates[0], key)


def _is_from(server: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        server.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _certificates(text: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        return []


def _private_key(text: str) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None
