"""Keeps the built-in store's certificate in a Secret, and tells the operator whom it is from."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from slipway.accounts.certificate.kept import AUTHORITIES, renewed
from slipway.kube.client import Client
from slipway.kube.errors import KubeError
from slipway.kube.own_secret import filled
from slipway.settings import Settings

_LOG = logging.getLogger(__name__)
_PERIOD_SECONDS = 600.0
_RETRY_SECONDS = 10.0


class StoreCertificate:
    """The Secret ``settings.store.tls_secret``, and its authorities in the file ``ca_file``.

    Every replica may renew it: one of them does, and the others read what that one wrote.
    """

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._namespace = settings.namespace
        self._name = settings.store.tls_secret
        self._host = urlsplit(settings.store.endpoint).hostname or ""
        self._file = Path(settings.store.ca_file)

    async def run(self, kept: bool) -> None:
        """Look every ten minutes whether something is due, until cancelled.

        ``kept`` is what `keep` has told just before.
        """
        while True:
            await asyncio.sleep(_PERIOD_SECONDS if kept else _RETRY_SECONDS)
            kept = await self.keep()

    async def keep(self) -> bool:
        """Renew what is due, and put the authorities into the file; tell whether that was done."""
        now = datetime.now(UTC)
        try:
            held, written = await filled(
                self._client,
                self._namespace,
                self._name,
                lambda held: renewed(held, self._host, now),
            )
            self._tell(held[AUTHORITIES])
        except (KubeError, OSError) as error:
            _LOG.warning("The store's certificate cannot be looked after: %s", error)
            return False
        if written:
            _LOG.info("Secret %s has a new certificate of the store", self._name)
        return True

    def _tell(self, authorities: str) -> None:
        """Put the authorities into the file as a whole: readers see the old text or the new."""
        if self._file.is_file() and self._file.read_text() == authorities:
            return
        begun = self._file.with_name(f".{self._file.name}")
        begun.write_text(authorities)
        begun.replace(self._file)
