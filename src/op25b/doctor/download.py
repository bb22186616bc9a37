"""The check as a provider offers it: one file with its own servers and words in it."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from pprint import pformat

from op25b.doctor.probe import (
    asking,
    causes,
    coding,
    command,
    findings,
    outcomes,
    report,
    request,
    talking,
    trying,
    words,
)
from op25b.policy.model import Policy, PopBeforeSmtp

FILE_NAME = "op25b_doctor.py"

# each after those that it needs
_MODULES = (outcomes, talking, asking, trying, findings, causes, coding, words, request, report, command)
_SPOKEN = {"say", "mark"}
_HEAD = '''\
#!/usr/bin/env python3
# /// script
# requires-python = ">=3.8"
# dependencies = []
# ///
"""Why this computer cannot send mail: tries ports 25, 587 and 465, and says what it found and what to do.

One file; needs Python 3.8 or newer and nothing else. It connects to the servers named in it and on its command line,
sends no mail, and reports to nobody. A password is asked for only with --account, and goes only to your own sending
server, encrypted. `python3 op25b_doctor.py --help` lists the options.
"""

from __future__ import annotations
'''


def provider(policy: Policy) -> outcomes.Provider:
    """What the check has to know of a provider. Prefixes are told without their meaning."""
    prefixes = [prefix for pool in policy.pools for prefix in pool.prefixes]
    four = collapse_addresses(each for each in prefixes if isinstance(each, IPv4Network))
    six = collapse_addresses(each for each in prefixes if isinstance(each, IPv6Network))
    display, pop = policy.provider.display, policy.submission
    return outcomes.Provider(
        name={"ja": display.ja, "en": display.en},
        servers=tuple(outcomes.Server(server.hosts[0], server.ports) for server in policy.own_servers),
        others=tuple(outcomes.Server(each.host, each.ports) for each in policy.doctor.others),
        domains=tuple(domain for brand in policy.provider.brands for domain in brand.domains),
        networks=tuple(map(str, (*four, *six))),
        contacts=tuple(each.address for each in policy.provider.contacts),
        pop_minutes=0 if pop.pop_before_smtp is PopBeforeSmtp.REFUSED else pop.pop_minutes,
    )


@cache
def messages() -> tuple[str, ...]:
    """All that the check may say, in English."""
    nodes = (node for module in _MODULES for node in ast.walk(ast.parse(inspect.getsource(module))))
    spoken = (
        node.args[0].value
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in _SPOKEN
        and isinstance(node.args[0], ast.Constant)
    )
    return tuple(dict.fromkeys(str(message) for message in spoken))


def translated(gettext: Callable[[str], str]) -> dict[str, str]:
    """English -> Japanese, by the Japanese catalogue's `gettext`."""
    return {message: gettext(message) for message in messages()}


def rendered(words: Mapping[str, str], provider: outcomes.Provider) -> str:
    """The text of a Python file that needs nothing else: the check, with these words (English -> Japanese) and this
    provider's servers."""
    filled = {"WORDS": dict(words), "PROVIDER": provider}
    sources = [inspect.getsource(module) for module in _MODULES]
    bodies = [_body(source, filled).strip() for source in sources]
    return "\n".join([_HEAD, *_standard(sources), "", "\n\n\n".join(bodies), ""])


def _standard(sources: Iterable[str]) -> list[str]:
    """The imports of the standard library, each once."""
    plain: set[str] = set()
    names: dict[str, set[str]] = {}
    for node in (node for source in sources for node in ast.parse(source).body):
        if isinstance(node, ast.Import):
            plain |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.module.startswith(("op25b", "__future__")):
            names.setdefault(node.module, set()).update(alias.name for alias in node.names)
    several = [f"from {module} import {', '.join(sorted(found))}" for module, found in sorted(names.items())]
    return [*(f"import {name}" for name in sorted(plain)), *several]


def _body(source: str, values: Mapping[str, object]) -> str:
    """A module without its imports, its title as a comment, and some of its names with other values."""
    lines = source.splitlines()
    for node in reversed(ast.parse(source).body):
        text = None
        if isinstance(node, ast.Import | ast.ImportFrom):
            text = ""
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id in values:
            text = f"{node.target.id} = {pformat(values[node.target.id], width=120, sort_dicts=False)}"
        elif node.lineno == 1:
            text = f"# --- {ast.literal_eval(lines[0])}"
        if text is not None:
            lines[node.lineno - 1 : node.end_lineno] = [text] if text else []
    return re.sub("\n{4,}", "\n\n\n", "\n".join(lines))
