"""The common mail programs, then and now: how each is told about a server to send through. Data.

Labels are those of the programs' own dialogs. A program that changes its dialogs is changed here, and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import takewhile

from op25b.answers.speech import mark
from op25b.policy.incoming import Security
from op25b.policy.table import Words
from op25b.portal.setup.actions import Action, Value, Verb, do, put, select


class Finds(Enum):
    """What a program does by itself once it is told the mail address."""

    AUTOCONFIG = mark("In a new account {program} finds these settings by itself: it is enough to write the address.")
    PROFILE = mark("There is a configuration profile for {program}, which makes an account with these settings.")


class Note(Enum):
    """What a customer should know of a program."""

    OLD = mark(
        "{program} is no longer maintained, and may not know the encryption that our servers ask for. If it cannot "
        "connect, please use a newer mail program."
    )
    ADD_AGAIN = mark(
        "{program} takes another server only when the account is added anew: remove it, then follow these steps. Mail "
        "that is on this computer alone may be lost by that, so please save it first."
    )


@dataclass(frozen=True)
class Program:
    """A mail program. `wants`: the protection that it does best; `securities`: what it calls each."""

    key: str
    name: Words
    system: str
    actions: tuple[Action, ...]
    wants: Security = Security.STARTTLS
    securities: tuple[tuple[Security, str], ...] = ((Security.STARTTLS, "STARTTLS"), (Security.TLS, "SSL/TLS"))
    finds: Finds | None = None
    notes: tuple[Note, ...] = ()


def _same(name: str) -> Words:
    return Words(ja=name, en=name)


_EXPRESS = (
    do(Verb.TAB, "サーバー", "Servers"),
    put(Value.HOST, "送信メール (SMTP)", "Outgoing mail (SMTP)"),
    do(Verb.TICK, "このサーバーは認証が必要", "My server requires authentication"),
    do(Verb.PRESS, "設定", "Settings"),
    do(Verb.CHOOSE, "次のアカウントとパスワードでログオンする", "Log on using"),
    put(Value.USER, "アカウント名", "Account name"),
    put(Value.PASSWORD, "パスワード", "Password"),
    do(Verb.PRESS, "OK", "OK"),
    do(Verb.TAB, "詳細設定", "Advanced"),
    put(Value.PORT, "送信メール (SMTP)", "Outgoing mail (SMTP)"),
    do(
        Verb.TICK,
        "このサーバーはセキュリティで保護された接続 (SSL) が必要",
        "This server requires a secure connection (SSL)",
    ),
    do(Verb.PRESS, "OK", "OK"),
)

PROGRAMS = (
    Program(
        "outlook",
        Words(ja="Outlook（2019 以降、Microsoft 365）", en="Outlook (2019 and later, Microsoft 365)"),
        "Windows",
        (
            do(Verb.OPEN, "ファイル > アカウント設定 > サーバーの設定", "File > Account Settings > Server Settings"),
            do(Verb.OPEN, "送信メール", "Outgoing mail"),
            put(Value.HOST, "サーバー", "Server"),
            put(Value.PORT, "ポート", "Port"),
            select("暗号化方法", "Encryption method", Value.SECURITY),
            do(
                Verb.TICK,
                "送信サーバー (SMTP) には認証が必要です",
                "My outgoing (SMTP) server requires authentication",
            ),
            do(Verb.CHOOSE, "ユーザー名とパスワードの使用", "Log on using"),
            put(Value.USER, "ユーザー名", "User name"),
            put(Value.PASSWORD, "パスワード", "Password"),
            do(Verb.PRESS, "次へ", "Next"),
        ),
    ),
    Program(
        "outlook-2016",
        Words(ja="Outlook 2013、2016", en="Outlook 2013, 2016"),
        "Windows",
        (
            do(Verb.OPEN, "ファイル > アカウント設定 > アカウント設定", "File > Account Settings > Account Settings"),
            do(Verb.ACCOUNT, "変更", "Change"),
            put(Value.HOST, "送信メール サーバー (SMTP)", "Outgoing mail server (SMTP)"),
            do(Verb.PRESS, "詳細設定", "More Settings"),
            do(Verb.TAB, "送信サーバー", "Outgoing Server"),
            do(
                Verb.TICK,
                "送信サーバー (SMTP) は認証が必要",
                "My outgoing server (SMTP) requires authentication",
            ),
            do(Verb.CHOOSE, "次のアカウントとパスワードでログオンする", "Log on using"),
            put(Value.USER, "アカウント名", "User Name"),
            put(Value.PASSWORD, "パスワード", "Password"),
            do(Verb.TAB, "詳細設定", "Advanced"),
            select("使用する暗号化接続の種類", "Use the following type of encrypted connection", Value.SECURITY),
            put(Value.PORT, "送信サーバー (SMTP)", "Outgoing server (SMTP)"),
            do(Verb.PRESS, "OK", "OK"),
        ),
        securities=((Security.STARTTLS, "TLS"), (Security.TLS, "SSL")),
    ),
    Program(
        "new-outlook",
        Words(ja="新しい Outlook", en="New Outlook"),
        "Windows",
        (
            do(
                Verb.OPEN,
                "設定（歯車） > アカウント > 電子メール アカウント > アカウントの追加",
                "Settings (the gear) > Accounts > Email accounts > Add account",
            ),
            put(Value.ADDRESS, "メール アドレス", "Email address"),
            do(Verb.PRESS, "続行", "Continue"),
            do(Verb.PRESS, "表示数を増やす", "Show more"),
            put(Value.HOST, "SMTP 送信サーバー", "SMTP outgoing server"),
            put(Value.PORT, "ポート", "Port"),
            select("セキュリティで保護された接続の種類", "Secure connection type", Value.SECURITY),
            put(Value.USER, "SMTP ユーザー名", "SMTP username"),
            put(Value.PASSWORD, "SMTP パスワード", "SMTP password"),
            do(Verb.PRESS, "続行", "Continue"),
        ),
        notes=(Note.ADD_AGAIN,),
    ),
    Program(
        "windows-mail",
        Words(ja="Windows 10 のメール", en="Windows 10 Mail"),
        "Windows",
        (
            do(Verb.OPEN, "設定（歯車） > アカウントの管理", "Settings (the gear) > Manage accounts"),
            do(Verb.ACCOUNT, "メールボックスの同期設定を変更", "Change mailbox sync settings"),
            do(Verb.OPEN, "メールボックスの詳細設定", "Advanced mailbox settings"),
            put(Value.HOST_AND_PORT, "送信メール サーバー", "Outgoing (SMTP) email server"),
            do(Verb.TICK, "送信サーバーには認証が必要です", "Outgoing server requires authentication"),
            do(Verb.TICK, "送信メールには SSL が必要です", "Require SSL for outgoing email"),
            do(Verb.PRESS, "完了", "Done"),
            do(Verb.PRESS, "保存", "Save"),
        ),
        notes=(Note.OLD,),
    ),
    Program(
        "windows-live-mail",
        Words(ja="Windows Live メール、Windows Vista の Windows メール", en="Windows Live Mail, Windows Mail (Vista)"),
        "Windows",
        (do(Verb.RIGHT_CLICK, "プロパティ", "Properties"), *_EXPRESS),
        wants=Security.TLS,
        notes=(Note.OLD,),
    ),
    Program(
        "outlook-express",
        _same("Outlook Express 6"),
        "Windows",
        (
            do(Verb.OPEN, "ツール > アカウント", "Tools > Accounts"),
            do(Verb.TAB, "メール", "Mail"),
            do(Verb.ACCOUNT, "プロパティ", "Properties"),
            *_EXPRESS,
        ),
        wants=Security.TLS,
        notes=(Note.OLD,),
    ),
    Program(
        "thunderbird",
        _same("Thunderbird"),
        "Windows, macOS, Linux",
        (
            do(
                Verb.OPEN,
                "≡ > アカウント設定 > 送信 (SMTP) サーバー",
                "≡ > Account Settings > Outgoing Server (SMTP)",
            ),
            do(Verb.ACCOUNT, "編集", "Edit"),
            put(Value.HOST, "サーバー名", "Server Name"),
            put(Value.PORT, "ポート番号", "Port"),
            select("接続の保護", "Connection security", Value.SECURITY),
            select("認証方式", "Authentication method", Words(ja="通常のパスワード認証", en="Normal password")),
            put(Value.USER, "ユーザー名", "User Name"),
            do(Verb.PRESS, "OK", "OK"),
        ),
        finds=Finds.AUTOCONFIG,
    ),
    Program(
        "becky",
        _same("Becky! Internet Mail 2"),
        "Windows",
        (
            do(Verb.OPEN, "ツール > メールボックスの設定", "Tools > Mailbox Settings"),
            do(Verb.TAB, "基本設定", "General"),
            put(Value.HOST, "SMTPサーバー(送信)", "SMTP Server (Outgoing)"),
            do(Verb.TICK, "SMTPS", "SMTPS"),
            do(Verb.TAB, "詳細", "Advanced"),
            put(Value.PORT, "SMTP のポート番号", "the port number of SMTP"),
            do(Verb.TICK, "SMTP認証", "SMTP Authentication"),
            do(Verb.TICK, "LOGIN", "LOGIN"),
            put(Value.USER, "ユーザーID", "User ID"),
            put(Value.PASSWORD, "パスワード", "Password"),
            do(Verb.PRESS, "OK", "OK"),
        ),
        wants=Security.TLS,
    ),
    Program(
        "shuriken",
        _same("Shuriken"),
        "Windows",
        (
            do(Verb.OPEN, "設定 > アカウント一覧", "設定 (Settings) > アカウント一覧 (Accounts)"),
            do(Verb.ACCOUNT, "設定", "設定 (Settings)"),
            put(Value.HOST, "送信メールサーバー", "送信メールサーバー (outgoing server)"),
            do(Verb.TICK, "SMTP認証を行う", "SMTP認証を行う (use SMTP AUTH)"),
            put(Value.USER, "SMTP認証のユーザーID", "SMTP認証のユーザーID (user name for SMTP AUTH)"),
            put(Value.PASSWORD, "SMTP認証のパスワード", "SMTP認証のパスワード (its password)"),
            put(Value.PORT, "送信ポート番号", "送信ポート番号 (port)"),
            select("送信時の暗号化", "送信時の暗号化 (encryption)", Value.SECURITY),
            do(Verb.PRESS, "OK", "OK"),
        ),
    ),
    Program(
        "apple-mail",
        Words(ja="Mac のメール", en="Mail on Mac"),
        "macOS",
        (
            do(Verb.OPEN, "メール > 設定 > アカウント", "Mail > Settings > Accounts"),
            do(Verb.ACCOUNT, "サーバ設定", "Server Settings"),
            do(
                Verb.OPEN,
                "送信用メールサーバ (SMTP) > アカウント > SMTPサーバリストを編集",
                "Outgoing Mail Server (SMTP) > Account > Edit SMTP Server List",
            ),
            put(Value.HOST, "ホスト名", "Host Name"),
            put(Value.USER, "ユーザ名", "User Name"),
            put(Value.PASSWORD, "パスワード", "Password"),
            do(Verb.UNTICK, "接続設定を自動的に管理", "Automatically manage connection settings"),
            put(Value.PORT, "ポート", "Port"),
            do(Verb.TICK, "TLS/SSLを使用", "Use TLS/SSL"),
            select("認証", "Authentication", Words(ja="パスワード", en="Password")),
            do(Verb.PRESS, "OK", "OK"),
        ),
        finds=Finds.PROFILE,
    ),
    Program(
        "iphone",
        Words(ja="iPhone、iPad のメール", en="Mail on iPhone and iPad"),
        "iOS, iPadOS",
        (
            do(
                Verb.OPEN,
                "設定 > アプリ > メール > メールアカウント",
                "Settings > Apps > Mail > Mail Accounts",
            ),
            do(Verb.TAP_ACCOUNT),
            do(Verb.OPEN, "送信メールサーバ > SMTP > プライマリサーバ", "Outgoing Mail Server > SMTP > Primary Server"),
            do(Verb.ON, "サーバ", "Server"),
            put(Value.HOST, "ホスト名", "Host Name"),
            put(Value.USER, "ユーザ名", "User Name"),
            put(Value.PASSWORD, "パスワード", "Password"),
            do(Verb.ON, "SSLを使用", "Use SSL"),
            select("認証", "Authentication", Words(ja="パスワード", en="Password")),
            put(Value.PORT, "サーバポート", "Server Port"),
            do(Verb.PRESS, "完了", "Done"),
        ),
        finds=Finds.PROFILE,
    ),
    Program(
        "android",
        Words(ja="Android の Gmail アプリ", en="Gmail on Android"),
        "Android",
        (
            do(Verb.OPEN, "≡ > 設定", "≡ > Settings"),
            do(Verb.TAP_ACCOUNT),
            do(Verb.OPEN, "送信設定", "Outgoing settings"),
            put(Value.HOST, "SMTPサーバー", "SMTP server"),
            select("セキュリティの種類", "Security type", Value.SECURITY),
            put(Value.PORT, "ポート", "Port"),
            do(Verb.ON, "ログインが必要", "Require sign-in"),
            put(Value.USER, "ユーザー名", "Username"),
            put(Value.PASSWORD, "パスワード", "Password"),
            do(Verb.PRESS, "次へ", "Next"),
        ),
    ),
)
BY_KEY = {program.key: program for program in PROGRAMS}


_ON_THE_WAY = (Verb.OPEN, Verb.TAB, Verb.PRESS, Verb.ACCOUNT, Verb.RIGHT_CLICK)
_WITH_ACCOUNT = (Verb.ACCOUNT, Verb.RIGHT_CLICK, Verb.TAP_ACCOUNT)
_ACCOUNT = Words(ja="（アカウントを選択）", en="(your account)")


def menus() -> tuple[tuple[Words, Words], ...]:
    """Each program's name, and the way through its menus to the first field, for a text that has no room for more."""
    return tuple((program.name, _way(program)) for program in PROGRAMS)


def _way(program: Program) -> Words:
    before = takewhile(lambda action: action.value is None, program.actions)
    labels: list[Words] = []
    for action in before:
        labels += [_ACCOUNT] * (action.verb in _WITH_ACCOUNT) + [action.label] * (action.verb in _ON_THE_WAY)
    return Words(ja=" > ".join(label.ja for label in labels), en=" > ".join(label.en for label in labels))
