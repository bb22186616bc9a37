"""Where common mail programs of then and now keep the settings for sending: the menus, in short. Pure."""

from __future__ import annotations

from op25b.policy.table import Words


def _same(name: str) -> Words:
    return Words(ja=name, en=name)


PROGRAMS = (
    (
        Words(ja="Outlook（従来版）", en="Outlook (classic)"),
        Words(
            ja="「ファイル」→「アカウント設定」→アカウントを選んで「変更」→「詳細設定」の「送信サーバー」と「詳細設定」",
            en="File > Account Settings > your account > Change > More Settings: Outgoing Server and Advanced",
        ),
    ),
    (
        Words(ja="Outlook Express、Windowsメール", en="Outlook Express, Windows Mail"),
        Words(
            ja="「ツール」→「アカウント」→アカウントを選んで「プロパティ」の「サーバー」と「詳細設定」",
            en="Tools > Accounts > your account > Properties: Servers and Advanced",
        ),
    ),
    (
        _same("Thunderbird"),
        Words(
            ja="「アカウント設定」→「送信 (SMTP) サーバー」→サーバーを選んで「編集」",
            en="Account Settings > Outgoing Server (SMTP) > your server > Edit",
        ),
    ),
    (
        _same("Becky! Internet Mail"),
        Words(ja="「メールボックスの設定」の「基本設定」と「詳細」", en="Mailbox Settings: General and Advanced"),
    ),
    (
        Words(ja="Macの「メール」", en="Mail on a Mac"),
        Words(
            ja="「メール」→「設定」→「アカウント」→アカウントを選んで「サーバ設定」の「送信メールサーバ」",
            en="Mail > Settings > Accounts > your account > Server Settings: Outgoing Mail Server",
        ),
    ),
    (
        Words(ja="iPhone、iPadの「メール」", en="Mail on an iPhone or iPad"),
        Words(
            ja="「設定」の「メール」→「アカウント」→アカウントを選んで「SMTP」→「プライマリサーバ」",
            en="Settings, Mail > Accounts > your account > SMTP > Primary Server",
        ),
    ),
    (
        Words(ja="AndroidのGmail", en="Gmail on Android"),
        Words(ja="「設定」→アカウントを選んで「送信設定」", en="Settings > your account > Outgoing settings"),
    ),
)
"""The name of a program, and the way to its settings in its own menus."""
