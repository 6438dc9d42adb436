"""Over years, and whatever is damaged: who knows the authorities of a week ago connects."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store
from hypothesis import given, settings
from hypothesis import strategies as st

from slipway.accounts.certificate.authority import CERTIFICATE_LIFE
from slipway.accounts.certificate.kept import ANNOUNCED, renewed

HOST = "slipway-store.slipway-system.svc"
BEGIN = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)
KEYS = ("ca.crt", "ca.key", "tls.crt", "tls.key")
DAMAGE = st.sampled_from(
    ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
)


def verify(held: Mapping[str, str], authorities: str, now: datetime) -> None:
    """Verify the server's certificate as a client does; raises where it is refused."""
    trusted = Store(x509.load_pem_x509_certificates(authorities.encode()))
    verifier = PolicyBuilder().store(trusted).time(now).build_server_verifier(x509.DNSName(HOST))
    verifier.verify(x509.load_pem_x509_certificate(held["tls.crt"].encode()), [])


def life_left(held: Mapping[str, str], now: datetime) -> timedelta:
    return x509.load_pem_x509_certificate(held["tls.crt"].encode()).not_valid_after_utc - now


@settings(max_examples=10, deadline=None)
@given(
    pauses=st.lists(st.integers(15, 29), min_size=85, max_size=100),
    lag=st.integers(0, ANNOUNCED.days),
)
def test_clients_that_learn_authorities_late_never_refuse_the_store(
    pauses: list[int], lag: int
) -> None:
    now, held = BEGIN, renewed({}, HOST, BEGIN)
    told = [(now, held["ca.crt"])]
    for days in pauses:
        now += timedelta(days=days)
        verify(held, told[-1][1], now)
        held = renewed(held, HOST, now)
        told.append((now, held["ca.crt"]))
        learned = [text for at, text in told if at <= max(now - timedelta(days=lag), BEGIN)]
        verify(held, learned[-1], now)
        assert life_left(held, now) >= CERTIFICATE_LIFE / 3
    assert len({text for _, text in told}) > 1


@settings(max_examples=40, deadline=None)
@given(damage=st.dictionaries(st.sampled_from(KEYS), DAMAGE), days=st.integers(0, 4000))
def test_what_is_damaged_is_made_anew_and_authorities_that_hold_stay_listed(
    damage: dict[str, str], days: int
) -> None:
    held = renewed({}, HOST, BEGIN)
    now = BEGIN + timedelta(days=days)
    mended = renewed({**held, **damage}, HOST, now)
    verify(mended, mended["ca.crt"], now)
    assert mended["tls.key"].startswith("-----BEGIN PRIVATE KEY-----")
    if "ca.crt" not in damage and days < 1825:
        assert mended["ca.crt"].startswith(held["ca.crt"])
    assert renewed(mended, HOST, now) is mended
