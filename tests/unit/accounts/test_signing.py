"""Signatures, compared with those of botocore."""

import hashlib
from datetime import UTC, datetime
from unittest import mock

from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from slipway.accounts.server import signing
from slipway.accounts.server.signing import Key, Request, encoded

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=12)
SEGMENTS = TEXTS.filter(lambda text: text not in ("", ".", ".."))


def botocores(request: Request, key: Key, service: str) -> str:
    """Return the signature of botocore."""
    digest = hashlib.sha256(request.body).hexdigest()
    headers = {**request.headers, "X-Amz-Content-Sha256": digest}
    theirs = AWSRequest(request.method, request.url, headers=headers, data=request.body)
    kind = S3SigV4Auth if service == "s3" else SigV4Auth
    with mock.patch("botocore.auth.get_current_datetime", return_value=NOW.replace(tzinfo=None)):
        credentials = Credentials(key.id, key.secret, key.token or None)
        kind(credentials, service, "eu-west-1").add_auth(theirs)
    return str(theirs.headers["Authorization"])


@given(
    path=st.lists(SEGMENTS, max_size=3),
    query=st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=3),
    body=st.binary(max_size=20),
    token=st.sampled_from(["", "token+/="]),
)
def test_a_signature_is_botocores(
    path: list[str], query: dict[str, str], body: bytes, token: str
) -> None:
    tail = "&".join(f"{encoded(name)}={encoded(value)}" for name, value in query.items())
    url = f"http://store:7480/{'/'.join(map(encoded, path))}{'?' if tail else ''}{tail}"
    request, key = Request("PUT", url, body), Key("ID", "secret", token)
    ours = signing.signed(request, key, "s3", "eu-west-1", NOW)
    assert ours["authorization"] == botocores(request, key, "s3")
