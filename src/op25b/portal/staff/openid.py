"""A log-in by the provider's own identity service: OpenID Connect Core 1.0, code flow (3.1) with PKCE (RFC 7636).

What must come back unchanged (state, nonce, verifier) waits in the browser, sealed, and not here: strangers who begin
log-ins take no memory. Only ID tokens signed with RS256 or ES256 are believed: none with `none`, none with a secret
that is shared (RFC 8725, 3.1).
"""

from __future__ import annotations

import hmac
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import httpx
from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]
from authlib.oidc.core import CodeIDToken  # type: ignore[import-untyped]
from authlib.oidc.discovery import OpenIDProviderMetadata  # type: ignore[import-untyped]
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from op25b.errors import UserError
from op25b.portal.console.config import OpenId, is_confidential
from op25b.portal.staff.accounts import checked_name
from op25b.portal.staff.codes import Key, Random
from op25b.portal.staff.roles import Person, Role

with warnings.catch_warnings():
    # it would rather have a successor of httpx, and says so on standard error
    warnings.simplefilter("ignore", DeprecationWarning)
    from authlib.integrations.httpx_client import OAuth2Client  # type: ignore[import-untyped]

ALGORITHMS = ["RS256", "ES256"]
METADATA_HOLDS = timedelta(hours=1)
PATIENCE = timedelta(minutes=10)
"""For whoever is at the provider's page."""
_SECONDS = 10.0
_LEEWAY_SECONDS = 60
_ABOUT = "openid log-in"


class Denied(Exception):
    """Nobody is let in; the text is for the log."""


@dataclass(frozen=True)
class Known:
    """Who came: the person, and what the provider calls him for ever (`iss` and `sub`: the one lasting name)."""

    person: Person
    subject: str


@dataclass
class Provider:
    """One OpenID provider. Safe to share between threads; methods block on the network.

    `redirect`: where the provider sends the browser back to; `secret`: the client's.
    """

    settings: OpenId
    secret: str = field(repr=False)
    redirect: str
    key: Key = field(repr=False)
    random: Random
    clock: Callable[[], datetime]
    _lock: Lock = field(default_factory=Lock, repr=False)
    _metadata: dict[str, Any] = field(default_factory=dict, repr=False)
    _read_at: datetime | None = None

    def begin(self) -> tuple[str, str]:
        """(where the browser goes, what it keeps until it is back). Raises UserError if the provider is away."""
        metadata = self._current()
        verifier, state, nonce = (self.random(32).hex() for _ in range(3))
        with self._client() as client:
            url, _ = client.create_authorization_url(
                metadata["authorization_endpoint"], state=state, code_verifier=verifier, nonce=nonce
            )
        kept = {"state": state, "nonce": nonce, "verifier": verifier, "at": self.clock().timestamp()}
        return url, self.key.seal(json.dumps(kept).encode(), _ABOUT, self.random).hex()

    def finish(self, given: Mapping[str, str], kept: str) -> Known:
        """Who has come back. Raises Denied, and UserError if the provider is away."""
        before = self._opened(kept)
        if not hmac.compare_digest(given.get("state", "").encode(), before["state"].encode()):
            raise Denied("it is another log-in than the one that was begun here")
        if "code" not in given:
            raise Denied(f"the provider says {given.get('error', 'nothing')[:60]!r}")
        # RFC 9207, 2.4: whoever says whose answer it is must say this provider
        if given.get("iss", self.settings.issuer) != self.settings.issuer:
            raise Denied("the answer is of another provider")
        try:
            with self._client() as client:
                token = client.fetch_token(
                    self._current()["token_endpoint"], code=given["code"], code_verifier=before["verifier"]
                )
                claims = self._claims(token, before["nonce"])
                found = claims | self._asked_further(client, claims)
        except (AuthlibBaseError, JoseError, ValueError, KeyError) as error:
            raise Denied(f"the token is not good: {type(error).__name__}: {error}"[:300]) from None
        except httpx.HTTPError as error:
            raise self._away(error) from None
        return self._known(found)

    def _opened(self, kept: str) -> dict[str, Any]:
        try:
            opened = self.key.open(bytes.fromhex(kept), _ABOUT)
        except ValueError:
            opened = None
        if opened is None:
            raise Denied("the browser has no log-in under way")
        found: dict[str, Any] = json.loads(opened)
        if self.clock().timestamp() - found["at"] > PATIENCE.total_seconds():
            raise Denied("it took too long")
        return found

    def _claims(self, token: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        metadata, text = self._current(), token["id_token"]
        try:
            decoded = jwt.decode(text, KeySet.import_key_set(metadata["jwks"]), algorithms=ALGORITHMS)
        except InvalidKeyIdError:
            # the provider has new keys
            metadata = self._current(anew=True)
            decoded = jwt.decode(text, KeySet.import_key_set(metadata["jwks"]), algorithms=ALGORITHMS)
        wanted = {
            "iss": {"essential": True, "value": self.settings.issuer},
            "aud": {"essential": True, "value": self.settings.client_id},
        }
        facts = {"nonce": nonce, "client_id": self.settings.client_id, "access_token": token.get("access_token")}
        claims = CodeIDToken(decoded.claims, decoded.header, wanted, facts)
        claims.validate(now=int(self.clock().timestamp()), leeway=_LEEWAY_SECONDS)
        return dict(decoded.claims)

    def _asked_further(self, client: OAuth2Client, claims: Mapping[str, Any]) -> dict[str, Any]:
        """What the ID token leaves out (OpenID Connect Core, 5.3): the same subject's, or nothing."""
        endpoint = self._current().get("userinfo_endpoint")
        if {self.settings.name_claim, self.settings.groups_claim} <= set(claims) or endpoint is None:
            return {}
        answer = client.get(endpoint)
        answer.raise_for_status()
        more = answer.json()
        if more.get("sub") != claims["sub"]:
            raise ValueError("the provider's further answer is about somebody else")
        wanted = (self.settings.name_claim, self.settings.groups_claim)
        return {name: more[name] for name in wanted if name in more and name not in claims}

    def _known(self, claims: Mapping[str, Any]) -> Known:
        groups = claims.get(self.settings.groups_claim, [])
        groups = [groups] if isinstance(groups, str) else groups
        roles = {Role(role) for group in groups for role in self.settings.roles.get(str(group), ())}
        subject = f"{claims['iss']} {claims['sub']}"
        if not roles:
            raise Denied(f"{subject} is in no group that has a role")
        try:
            name = checked_name(str(claims.get(self.settings.name_claim, "")).partition("@")[0].lower())
        except UserError as error:
            raise Denied(f"{subject} has no usable {self.settings.name_claim}: {error}") from None
        return Known(Person(name, frozenset(roles)), subject)

    def _current(self, anew: bool = False) -> dict[str, Any]:
        """The provider's metadata (OpenID Connect Discovery 1.0, 4) with its keys as `jwks`."""
        with self._lock:
            now = self.clock()
            if anew or self._read_at is None or now - self._read_at > METADATA_HOLDS:
                try:
                    self._metadata, self._read_at = self._read(), now
                except (httpx.HTTPError, ValueError, KeyError) as error:
                    raise self._away(error) from None
            return self._metadata

    def _read(self) -> dict[str, Any]:
        with httpx.Client(timeout=_SECONDS) as client:
            answer = client.get(self.settings.issuer.rstrip("/") + "/.well-known/openid-configuration")
            answer.raise_for_status()
            found: dict[str, Any] = OpenIDProviderMetadata(answer.json())
            if found["issuer"] != self.settings.issuer:
                raise ValueError(f"it calls itself {found['issuer']!r}")
            for name, value in found.items():
                if name.endswith(("_endpoint", "_uri")) and not is_confidential(str(value)):
                    raise ValueError(f"its {name} is not https")
            keys = client.get(found["jwks_uri"])
            keys.raise_for_status()
            return {**found, "jwks": keys.json()}

    def _client(self) -> OAuth2Client:
        return OAuth2Client(
            self.settings.client_id, self.secret, scope=" ".join(self.settings.scopes), redirect_uri=self.redirect,
            code_challenge_method="S256", timeout=_SECONDS,
        )  # fmt: skip

    def _away(self, error: Exception) -> UserError:
        return UserError(f"{self.settings.issuer}: the OpenID provider cannot be asked ({error}); try again later")
