"""Thunderbird's own reader of autoconfig documents, from Debian's package, run in Chromium.

The reader's modules are taken as they are; of the application around them only what they ask for is stood in.
"""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route

READER = (
    "JXON", "hostnameUtils", "OAuth2Providers", "accountcreation/AccountConfig",
    "accountcreation/AccountCreationUtils", "accountcreation/InputSanitizer", "accountcreation/readFromXML",
)  # fmt: skip
SITE = "http://thunderbird.invalid/"
AROUND = """
globalThis.loaded = {};
globalThis.ChromeUtils = {
  defineESModuleGetters(lazy, modules) {
    for (const [name, url] of Object.entries(modules)) {
      Object.defineProperty(lazy, name, { get: () => loaded[url.replace("resource:///", "/")][name] });
    }
  },
  defineLazyGetter(lazy, name, make) { Object.defineProperty(lazy, name, { get: make }); },
};
globalThis.Services = { prefs: { getBoolPref: () => false } };
globalThis.Cu = { isInAutomation: true };
globalThis.dump = () => {};
console.createInstance = () => console;
// comm/mailnews/base/public/MailNewsTypes2.idl
globalThis.Ci = {
  nsMsgSocketType: { plain: 0, alwaysSTARTTLS: 2, SSL: 3 },
  nsMsgAuthMethod: { none: 1, passwordCleartext: 3, passwordEncrypted: 4, GSSAPI: 5, NTLM: 6, OAuth2: 10 },
};
globalThis.Localization = class { formatValueSync(id) { return id; } };
null;
"""
READ = """
async ([document_, address, modules]) => {
  for (const path of modules) loaded[path] = await import(path);
  const xml = new DOMParser().parseFromString(document_, "text/xml");
  const { readFromXML } = loaded["/modules/accountcreation/readFromXML.sys.mjs"];
  const { AccountConfig } = loaded["/modules/accountcreation/AccountConfig.sys.mjs"];
  const found = readFromXML(loaded["/modules/JXON.sys.mjs"].JXON.build(xml), "isp-https");
  AccountConfig.replaceVariables(found, "Taro", address, "");
  return JSON.parse(JSON.stringify({ ...found, complete: found.isComplete() }));
}
"""


def modules(folder: Path) -> dict[str, str]:
    """The reader's modules by their paths; skips the test where Debian's package cannot be had."""
    got = subprocess.run(["apt-get", "download", "thunderbird"], cwd=folder, capture_output=True, timeout=300)
    packages = list(folder.glob("thunderbird_*.deb"))
    if got.returncode or not packages:
        pytest.skip("Debian's package of Thunderbird cannot be had")
    subprocess.run(["dpkg", "-x", packages[0], folder / "package"], check=True, timeout=300)
    with zipfile.ZipFile(folder / "package" / "usr" / "lib" / "thunderbird" / "omni.ja") as archive:
        texts = {f"/modules/{name}.sys.mjs": archive.read(f"modules/{name}.sys.mjs").decode() for name in READER}
    elsewhere = {
        "resource:///": "/",
        "resource://gre/modules/Timer.sys.mjs": "data:text/javascript,export const setTimeout=0,clearTimeout=0",
    }
    for inside, here in elsewhere.items():
        texts = {path: text.replace(f'from "{inside}', f'from "{here}') for path, text in texts.items()}
    return texts


def read(page: Page, texts: dict[str, str], document: str, address: str) -> dict[str, Any]:
    """The account that Thunderbird makes of a document for an address. Raises playwright's Error if it refuses it."""

    def serve(route: Route) -> None:
        path = route.request.url.removeprefix(SITE.rstrip("/"))
        kind = "text/javascript" if path in texts else "text/html"
        route.fulfill(body=texts.get(path, "<!doctype html>"), content_type=kind)

    page.route(f"{SITE}**", serve)
    page.goto(SITE)
    page.evaluate(AROUND)
    found: dict[str, Any] = page.evaluate(READ, [document, address, list(texts)])
    return found
