"""What self-service adds to the menu: what the policy offers."""

from __future__ import annotations

from op25b.answers.speech import mark
from op25b.policy.model import Policy
from op25b.portal.public.navigation import Entry


def entries(policy: Policy) -> list[Entry]:
    """The places, in their order."""
    credentials, found = policy.credentials, []
    if credentials.self_service or credentials.initial_password or credentials.reissue is not None:
        found.append(Entry("credentials", mark("User name and password")))
    if policy.exemption_terms.offered:
        found.append(Entry("exemptions", mark("Exemptions")))
    return found
