"""Authorities and certificates of a server, as X.509 has them (RFC 5280), with keys on P-256."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE = timedelta(days=1825)
"""How long an authority holds."""
CERTIFICATE_LIFE = timedelta(days=90)
"""How long a server's certificate holds."""
_CLOCK_SKEW = timedelta(hours=1)
"""How far a clock may be behind that one's which makes a certificate."""


@dataclass(frozen=True)
class Pair:
    """A certificate and the private key that belongs to it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def key_pem(self) -> str:
        """Return the private key in PEM (PKCS #8)."""
        raw = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return raw.decode()


def pem(certificate: x509.Certificate) -> str:
    """Return a certificate in PEM."""
    return certificate.public_bytes(Encoding.PEM).decode()


def belongs(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> bool:
    """Tell whether a private key is that of a certificate."""
    return bool(certificate.public_key() == key.public_key())


def is_worn(certificate: x509.Certificate, now: datetime) -> bool:
    """Tell whether two thirds of a certificate's life are over."""
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return now < begin or now >= begin + (end - begin) * 2 / 3


def new_authority(key: ec.EllipticCurvePrivateKey, now: datetime) -> Pair:
    """Return an authority that signs servers' certificates and no other authority's."""
    name = _named(f"Slipway store authority {now:%Y-%m-%d %H:%M}")
    made = _begun(name, name, key, now, AUTHORITY_LIFE)
    limits = x509.BasicConstraints(ca=True, path_length=0)
    made = made.add_extension(limits, critical=True)
    made = made.add_extension(_usage(signs=True), critical=True)
    return Pair(made.sign(key, SHA256()), key)


def new_certificate(
    authority: Pair, key: ec.EllipticCurvePrivateKey, host: str, now: datetime
) -> Pair:
    """Return an authority's certificate for the server of one host name."""
    issuer = authority.certificate.subject
    made = _begun(_named("Slipway store"), issuer, key, now, CERTIFICATE_LIFE)
    purposes = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    made = (
        made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(purposes, critical=False)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(signer, critical=False)
    )
    return Pair(made.sign(authority.key, SHA256()), key)


def host_names(certificate: x509.Certificate) -> Iterator[str]:
    """Yield the host names that a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return
    yield from names.value.get_values_for_type(x509.DNSName)


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + life)
        .add_extension(identifier, critical=False)
    )


def _named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
