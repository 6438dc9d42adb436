"""The certificate that the operator makes for the store: what for, how long, renewed when."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from slipway.accounts.certificate.authority import AUTHORITY_LIFE, CERTIFICATE_LIFE
from slipway.accounts.certificate.kept import ANNOUNCED, renewed

HOST = "slipway-store.slipway-system.svc"
NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
MADE = renewed({}, HOST, NOW)
"""What an empty Secret gets."""


def certificate(text: str) -> x509.Certificate:
    (only,) = x509.load_pem_x509_certificates(text.encode())
    return only


def authorities(text: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(text.encode())


def test_a_certificate_is_for_the_stores_host_and_for_a_server_alone() -> None:
    found = certificate(MADE["tls.crt"]).extensions
    names = found.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [(type(name), name.value) for name in names] == [(x509.DNSName, HOST)]
    purposes = found.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(purposes) == [ExtendedKeyUsageOID.SERVER_AUTH]
    usage = found.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.key_cert_sign, usage.crl_sign) == (True, False, False)
    assert not found.get_extension_for_class(x509.BasicConstraints).value.ca


def test_an_authority_signs_certificates_of_servers_and_of_no_other_authority() -> None:
    found = certificate(MADE["ca.crt"]).extensions
    limits = found.get_extension_for_class(x509.BasicConstraints)
    assert limits.critical
    assert (limits.value.ca, limits.value.path_length) == (True, 0)
    usage = found.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert (usage.value.key_cert_sign, usage.value.digital_signature) == (True, False)


def test_both_hold_a_little_before_now_for_clocks_that_are_behind_and_as_long_as_they_are_to() -> (
    None
):
    for text, life in ((MADE["ca.crt"], AUTHORITY_LIFE), (MADE["tls.crt"], CERTIFICATE_LIFE)):
        found = certificate(text)
        assert found.not_valid_before_utc == NOW - timedelta(hours=1)
        assert found.not_valid_after_utc == NOW + life


def test_each_key_belongs_to_its_certificate_and_no_two_are_alike() -> None:
    pairs = [(MADE["tls.crt"], MADE["tls.key"]), (MADE["ca.crt"], MADE["ca.key"])]
    for public, private in pairs:
        key = load_pem_private_key(private.encode(), None)
        assert key.public_key() == certificate(public).public_key()
    assert len({*MADE.values(), *renewed({}, HOST, NOW).values()}) == 8


@pytest.mark.parametrize("days", [0, 30, 59])
def test_nothing_changes_while_nothing_is_due(days: int) -> None:
    assert renewed(MADE, HOST, NOW + timedelta(days=days)) is MADE


def test_a_certificate_is_renewed_when_two_thirds_of_its_life_are_over() -> None:
    after = renewed(MADE, HOST, NOW + timedelta(days=60))
    assert certificate(after["tls.crt"]).not_valid_after_utc == NOW + timedelta(days=150)
    assert after["tls.key"] != MADE["tls.key"]
    assert (after["ca.crt"], after["ca.key"]) == (MADE["ca.crt"], MADE["ca.key"])


def test_another_host_gets_another_certificate_of_the_same_authority() -> None:
    after = renewed(MADE, "ml-slipway-store.slipway-system.svc", NOW)
    assert after["tls.crt"] != MADE["tls.crt"]
    assert after["ca.crt"] == MADE["ca.crt"]


def test_a_successor_is_listed_beside_the_authority_before_it_signs() -> None:
    worn = NOW + AUTHORITY_LIFE * 2 / 3
    announced = renewed(MADE, HOST, worn)
    old, successor = authorities(announced["ca.crt"])
    assert old == certificate(MADE["ca.crt"])
    assert certificate(announced["tls.crt"]).issuer == old.subject
    during = renewed(announced, HOST, worn + ANNOUNCED - timedelta(days=1))
    assert during is announced
    later = renewed(announced, HOST, worn + timedelta(days=61))
    assert certificate(later["tls.crt"]).issuer == successor.subject
    assert authorities(later["ca.crt"]) == [old, successor]
    assert later["ca.key"].count("BEGIN PRIVATE KEY") == 1


def test_an_authority_that_holds_no_longer_is_not_listed_any_more() -> None:
    worn = NOW + AUTHORITY_LIFE * 2 / 3
    held = renewed(renewed(MADE, HOST, worn), HOST, worn + timedelta(days=61))
    (only,) = authorities(renewed(held, HOST, NOW + AUTHORITY_LIFE)["ca.crt"])
    assert only == authorities(held["ca.crt"])[1]


def test_a_certificate_of_a_strangers_is_replaced() -> None:
    stranger = renewed({}, HOST, NOW)
    mixed = {**MADE, "tls.crt": stranger["tls.crt"], "tls.key": stranger["tls.key"]}
    after = renewed(mixed, HOST, NOW)
    assert certificate(after["tls.crt"]).issuer == certificate(MADE["ca.crt"]).subject
    assert after["tls.crt"] != stranger["tls.crt"]
    assert after["ca.crt"] == MADE["ca.crt"]


def test_an_authority_whose_key_is_lost_gets_a_successor_and_stays_listed() -> None:
    after = renewed({**MADE, "ca.key": ""}, HOST, NOW + timedelta(days=60))
    assert after["ca.crt"].startswith(MADE["ca.crt"])
    assert len(authorities(after["ca.crt"])) == 2
    assert renewed({**MADE, "ca.key": ""}, HOST, NOW)["tls.crt"] == MADE["tls.crt"]
