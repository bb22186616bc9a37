"""Hashes of other programs: those here were made by Dovecot 2.3.19 (`doveadm pw`) and libxcrypt 4.4.33."""

from __future__ import annotations

import sys
import threading
import time
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from op25b.subscribers import schemes
from op25b.subscribers.passwords import take_over

PASSWORD = "correct horse ß"
HASHES = [
    "{SHA512-CRYPT}$6$R57IQHkBEI3rRh.O$I7J6VxgaXBx6nkS.MvK7dIlpam1SPUZanFlI/ECg2MHD704VlUTjQa.S.qxdlQidjWQnwwMvm8xL9K5zHQ1oB/",
    "{SHA256-CRYPT}$5$84YXIRI2CaNB1X5E$GvtvqfC8rQeR8c9skOGF/jPhgu9qM1AaJSEVuujfm61",
    "{BLF-CRYPT}$2y$05$zS0s/6pDSYzT/OawyOJw.u2dny.7Iwhu.Ddf2s0FUCY/ELe46Mms.",
    "{SSHA}uofoWDOuI8MN4W2VTeeDoG0oG4rg3zF5",
    "{SSHA256}TkiEq3+qTnVhf6tm6LTfk+OMTnUuk8GoVJQEtL8KG1zDPVfR",
    "{SSHA512}eidDhiPC4ABGwLCT/1uHzYM4nb+toBU5IFZV4v1ZmaaASIGG7LuiskfdlY4qnoB7z86QvfnwI92IFl11h//Oznfp0g0=",
    "{SSHA.HEX}6887cffff4eb81b79a94fd79f359f6265ee609ebde6d83c8",
    "{MD5-CRYPT}$1$dUgpCdTx$Q2sWB9VgWgSrAcov4eHZj1",
    "{CRYPT}$2y$05$wVXcmADhgr0sS.0gd/3FtewLbUmnDdpht/N7d/6r1HSXuhOfo3FjC",
    "{CRYPT}$y$j9T$F5Jx5fExrKuPp53xLKQ..1$UlSUJgO2I2Hvy1ofQDG.I5JGd0wtVGQJwW9fyNaKZc3",
    "$y$j75$F5Jx5fExrKuPp53xLKQ..1$G1Mzm8iS19WQ4h1FCvvk8qzuIGPJjfHV.3V6d6NJqI0",
    "$6$rounds=5000$saltsalt$VUNvBFeHawE.X81hTyKTm4hsPb/NhMzjjsdu7/KqAl2SHruhYt7IGEsTp7VsIS1HAjf0wsHiNWodpTLDJQABC.",
    "{ARGON2ID}$argon2id$v=19$m=65536,t=3,p=1$iST+S7ls4BwDPBJzJz4pvg$3P7p3yQFB2L4zqSJO8+Sh9rTRRFLn1SSqcjUZuwCSJ4",
    "$argon2id$v=19$m=65536,t=3,p=1$iST+S7ls4BwDPBJzJz4pvg$3P7p3yQFB2L4zqSJO8+Sh9rTRRFLn1SSqcjUZuwCSJ4",
    "{ARGON2I}$argon2i$v=19$m=32768,t=4,p=1$x8jMtsmM6NEFy+6wMK8DNg$GxNmzNOmco0K67eFMdPDk5D/xnHX7JBGcoWpa7O+jJ4",
    "{SCRAM-SHA-256}4096,CMM6S9Kxati8qpe86ODk0g==,Rx7ZZUUi7qy8tcMpArGPPhRU64pZYWnICEoG/qfZkSY=,"
    "FsFeaaW4qcOc3UCTe5gs9iotM6MayzH9mrQLdtWJuyY=",
    "{DES-CRYPT}LTjlBprGkvdX.",
    "{SHA256}ILrFB1PRm+hb4J/SnsGb1pI/45WxzwPhS6o6ToWB3g8=",
    "{SHA}/My3iu3YgJu9EzyruFb39HSN43E=",
]


@pytest.mark.parametrize("text", HASHES, ids=lambda text: text[:16])
def test_the_right_password_and_no_other(text: str) -> None:
    scheme = schemes.read(text)
    assert scheme.check(PASSWORD)
    for wrong in ("", "Correct horse ß", "correct", "\0", "correct horse ß\0", "x" * 100, "x" * 5000):
        assert not scheme.check(wrong)


@pytest.mark.parametrize("text", HASHES, ids=lambda text: text[:16])
def test_what_is_stored_reads_the_same(text: str) -> None:
    secret = take_over(text)
    assert secret is not None
    assert schemes.read(secret.hash).check(PASSWORD)
    assert secret.hash.startswith("{"), "told apart from own hashes"


def test_bcrypt_beyond_72_octets() -> None:
    """As in Dovecot: the rest does not count; nothing raises."""
    hashed = "{BLF-CRYPT}$2y$04$abcdefghijklmnopqrstuuqoGT8U1wKoimqCEfXBBQwIOGaBfOEIy"
    check = schemes.read(hashed).check
    for password in ("x" * 72, "x" * 73, "x" * 500, "x" * 513, "x" * 72 + "\0"):
        check(password)
    made = schemes._libcrypt().crypt_r(b"x" * 80, b"$2y$04$abcdefghijklmnopqrstuu", bytes(1 << 18))
    assert schemes.read(made.decode()).check("x" * 72)


@pytest.mark.parametrize("text", HASHES, ids=lambda text: text[:16])
def test_a_hash_that_is_cut_off_is_refused(text: str) -> None:
    # a salted digest in hexadecimal says nothing of where its salt ends
    for short in (
        text[:-2] if ".HEX" not in text else "{SSHA.HEX}68",
        text[: len(text) // 2],
        text[: text.find("}") + 1],
    ):
        with pytest.raises(ValueError, match=r"\w") as refused:
            schemes.read(short)
        assert short[short.find("}") + 1 :][:12] not in str(refused.value) or len(short) < 18, "a hash in a message"


@pytest.mark.parametrize(
    "text",
    [
        "$6$rounds=99999999$saltsalt$" + "a" * 86,
        "{BLF-CRYPT}$2y$31$" + "a" * 53,
        "{CRYPT}$y$jHT$F5Jx5fExrKuPp53xLKQ..1$" + "a" * 43,
        "{ARGON2ID}$argon2id$v=19$m=4194304,t=3,p=1$iST+S7ls4BwDPBJzJz4pvg$3P7p3yQFB2L4zqSJO8+Sh9rTRRFLn1SSqcjUZuwCSJ4",
    ],
)
def test_a_hash_that_would_hold_the_server_up_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="too long to check"):
        schemes.read(text)


@pytest.mark.parametrize("text", ["{LANMAN}x", "{}x", "{SSHA.b32}x", "hunter2", "{SHA512-CRYPT}$1$a$b", "*", "!"])
def test_what_is_not_known_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"known|cut off"):
        schemes.read(text)


@given(st.text() | st.sampled_from(HASHES).flatmap(lambda text: st.integers(0, len(text)).map(lambda at: text[:at])))
def test_reading_ends_in_one_of_two_ways(text: str) -> None:
    try:
        schemes.read(text)
    except ValueError:
        pass
    except Exception:
        pytest.fail(traceback.format_exc())


def test_a_check_lets_other_threads_run() -> None:
    """bcrypt takes 40 ms and more: an event loop must go on meanwhile."""
    scheme = schemes.read("{BLF-CRYPT}$2y$11$" + "abcdefghijklmnopqrstuu" + "q" * 31)
    thread = threading.Thread(target=scheme.check, args=("x",))
    longest, last = 0.0, time.perf_counter()
    started = last
    thread.start()
    while thread.is_alive():
        time.sleep(0.001)
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    assert longest < (last - started) / 2, sys.version
