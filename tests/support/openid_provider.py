"""A real OpenID provider as a process: oidc-provider (certified by the OpenID Foundation), on Node."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey, RSAKey

HERE = Path(__file__).parent / "openid"
INSTALLED = Path(__file__).parents[2] / "build" / "openid"
CLIENT, SECRET = "console", "a secret of the client's own"
_FORM = re.compile(r'<form[^>]*action="([^"]+)"')


@dataclass(frozen=True)
class Running:
    """`issuer`: its URL."""

    issuer: str

    def agreed(self, url: str, who: str) -> dict[str, str]:
        """What a browser brings back when `who` has logged in there, and agreed."""
        with httpx.Client(timeout=10) as browser:
            answer = browser.get(url)
            while True:
                if answer.is_redirect:
                    wanted = answer.headers["location"]
                    if not wanted.startswith(("/", self.issuer)):
                        return dict(parse_qsl(urlsplit(wanted).query))
                    answer = browser.get(httpx.URL(self.issuer).join(wanted))
                    continue
                form = _FORM.search(answer.text)
                assert form is not None, answer.text
                prompt = re.search(r'name="prompt" value="(\w+)"', answer.text)
                assert prompt is not None, answer.text
                filled = {"prompt": prompt[1], "login": who, "password": "any"}
                answer = browser.post(httpx.URL(self.issuer).join(form[1]), data=filled)


def _installed() -> Path:
    if shutil.which("npm") is None:
        pytest.skip("Node is missing; to get it: sudo apt-get install --no-install-recommends nodejs npm")
    if not (INSTALLED / "node_modules" / "oidc-provider").exists():
        INSTALLED.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, INSTALLED)
        command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run(command, cwd=INSTALLED, capture_output=True, text=True, timeout=100, check=False)
        if done.returncode:
            pytest.skip(f"oidc-provider cannot be installed: {done.stderr[-300:]}")
    shutil.copy(HERE / "provider.mjs", INSTALLED)
    return INSTALLED


@contextmanager
def running(port: int, redirect: str, algorithm: str) -> Iterator[Running]:
    """Skips the test where there is no Node, or no way to get the package."""
    folder = _installed()
    keys = [RSAKey.generate_key(2048, {"use": "sig"}), ECKey.generate_key("P-256", {"use": "sig"})]
    environment = {**os.environ, "KEYS": json.dumps([key.as_dict(private=True) for key in keys])}
    command = ["node", "provider.mjs", str(port), redirect, algorithm]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.strip() == "ready", line + (process.stderr.read() if process.stderr else "")
        yield Running(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.communicate()
