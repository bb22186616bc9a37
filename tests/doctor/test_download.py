"""The file for customers: one, for any Python since 3.8."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import Counter
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from op25b.doctor import download
from op25b.doctor.probe.outcomes import Provider
from op25b.locale import speakers
from op25b.policy.load import load

from ..support.pythons import PYTHONS

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))
POLICIES = [path for path in EXAMPLES if not path.stem.startswith("service")]
SILENT = Provider({"ja": "例", "en": "Toy"}, (), contacts=("support@isp.example",))


def script(provider: Provider = SILENT) -> str:
    return download.rendered(download.translated(speakers(ZoneInfo("UTC"))["ja"].translations.gettext), provider)


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("download") / download.FILE_NAME
    path.write_text(script(), encoding="utf-8")
    return path


def run(python: str, file: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [python, str(file), *arguments], capture_output=True, check=False, timeout=30,
        env={"PATH": "/usr/bin:/bin", **environment}, stdin=subprocess.DEVNULL,
    )  # fmt: skip


def test_it_is_python_3_8_and_needs_nothing() -> None:
    tree = ast.parse(script(), feature_version=(3, 8))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {module.partition(".")[0] for module in modules} <= sys.stdlib_module_names


def test_no_name_is_given_twice() -> None:
    """The modules share one name space there."""
    names: Counter[str] = Counter()
    for node in ast.parse(script()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names[node.name] += 1
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            stored = (each for each in ast.walk(node) if isinstance(each, ast.Name))
            names.update({each.id for each in stored if isinstance(each.ctx, ast.Store)})
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("python", PYTHONS)
def test_it_runs_under_each_python(python: str, file: Path) -> None:
    told = run(python, file, "--server", "nowhere.invalid", "--language", "ja", PYTHONIOENCODING="utf-8")
    assert told.stderr == b""
    assert told.returncode == 1
    assert "原因5" in told.stdout.decode()


@pytest.mark.parametrize("python", PYTHONS[:1])
@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"LANG": "C.UTF-8"}, "Cause 5"),
        ({"LANG": "ja_JP.UTF-8", "PYTHONIOENCODING": "utf-8"}, "原因5"),
        ({"LANG": "ja_JP.UTF-8", "PYTHONIOENCODING": "cp932"}, "原因5"),
        ({"LC_ALL": "ja_JP.UTF-8", "PYTHONIOENCODING": "cp437"}, "Cause 5"),  # it cannot show Japanese
        ({"LC_ALL": "en_US.UTF-8", "LANG": "ja_JP.UTF-8"}, "Cause 5"),
        ({"LANG": "none_SUCH"}, "Cause 5"),
    ],
)
def test_it_speaks_as_the_computer_does(python: str, file: Path, environment: dict[str, str], said: str) -> None:
    told = run(python, file, "--server", "nowhere.invalid", **environment)
    assert said in told.stdout.decode(environment.get("PYTHONIOENCODING", "utf-8"))


def test_japanese_where_it_cannot_be_shown_is_no_traceback(file: Path) -> None:
    told = run(PYTHONS[0], file, "--server", "nowhere.invalid", "--language", "ja", PYTHONIOENCODING="ascii")
    assert (told.returncode, told.stderr) == (1, b"")


@pytest.mark.parametrize("arguments", [[], ["--port", "0"], ["--other", "a b"], ["--language", "fr"]])
def test_bad_usage_is_told_shortly(file: Path, arguments: list[str]) -> None:
    told = run(PYTHONS[0], file, *arguments)
    assert (told.returncode, told.stdout) == (2, b"") or arguments == []
    assert b"Traceback" not in told.stderr


def test_json(file: Path) -> None:
    found = json.loads(run(PYTHONS[0], file, "--server", "nowhere.invalid", "--json").stdout)
    assert found["causes"] == [{"cause": 5, "why": "no-network"}]
    assert {each["outcome"] for each in found["tries"]} == {"unresolved"}


@pytest.mark.parametrize("path", POLICIES, ids=lambda path: path.stem)
def test_each_example_has_its_file(path: Path) -> None:
    policy = load(path.read_text()).policy
    assert policy is not None
    provider = download.provider(policy)
    namespace: dict[str, object] = {"__name__": "op25b_doctor"}
    sys.modules["op25b_doctor"] = sys.modules[__name__]  # dataclasses look their module up
    try:
        exec(compile(script(provider), path.stem, "exec"), namespace)
    finally:
        del sys.modules["op25b_doctor"]
    assert namespace["PROVIDER"] == provider
    assert provider.name == {"ja": policy.provider.display.ja, "en": policy.provider.display.en}
    told = [ip_network(network) for network in provider.networks]
    for pool in policy.pools:
        for prefix in pool.prefixes:
            assert any(prefix.version == each.version and prefix.subnet_of(each) for each in told)  # type: ignore[arg-type]


def test_all_that_is_said_is_translated() -> None:
    translated = download.translated(speakers(ZoneInfo("UTC"))["ja"].translations.gettext)
    assert [message for message, said in translated.items() if said == message] == []


def test_a_policy_cannot_write_code_into_it() -> None:
    hostile = SILENT._replace(name={"ja": '"""\nimport os\n#', "en": "'); raise SystemExit(9) #"})
    tree = ast.parse(script(hostile))
    assert ast.unparse(tree).count("SystemExit") == 1
    assert not any(isinstance(node, ast.Raise) for node in tree.body)
