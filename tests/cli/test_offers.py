"""Offers on the command line: short options, the table, and `why --not`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from skb.cli.main import main
from skb.cli.requests import read_tables
from skb.errors import RequestError

APP = "name=app at=pu:4 need.protocol=tcp,rdma need.speed=>=10 wish.copies=0 worth.copies=5"
NET = "name=net at=pu:5 has.protocol=tcp has.speed=40 capacity=2"
OLD = "name=old at=pu:0 has.protocol=tcp has.speed=1"


def test_offers_options_say_what_a_file_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Short options and a TOML file are one request; `why --not` names what forbids another."""
    db = f"sqlite:///{tmp_path}/skb.sqlite3"
    options = ["--client", APP, "--offer", NET, "--offer", OLD, "--db", db]
    assert main(["ask", "offers", "odroid-n2", *options]) == 0
    table = capsys.readouterr().out
    assert "old for app: client app needs speed >= 10; old offers 1" in table
    main(["ask", "offers", "odroid-n2", *options, "--json"])
    short = json.loads(capsys.readouterr().out)
    file = tmp_path / "request.toml"
    file.write_text(
        '[[client]]\nname = "app"\nat = "pu:4"\n'
        'needs = { protocol = ["tcp", "rdma"], speed = ">=10" }\n'
        "wishes = { copies = { is = 0, worth_ns = 5 } }\n"
        '[[offer]]\nname = "net"\nat = "pu:5"\ncapacity = 2\n'
        'properties = { protocol = "tcp", speed = 40 }\n'
        '[[offer]]\nname = "old"\nat = "pu:0"\nproperties = { protocol = "tcp", speed = 1 }\n'
    )
    main(["ask", "offers", "odroid-n2", str(file), "--db", db, "--json"])
    assert json.loads(capsys.readouterr().out)["id"] == short["id"]
    assert main(["why", short["id"], "--not", "client=app service=old", "--db", db]) == 0
    assert "client app needs speed >= 10" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [("need=5", "is a table"), ("needs=5 need.x=1", "is a table"), ("has.x=1", "unknown key")],
)
def test_offers_options_that_are_no_pairs_are_refused(text: str, words: str) -> None:
    """A table needs a key behind a dot, and only the known tables are taken."""
    with pytest.raises(RequestError, match=words):
        read_tables(text, "--client", {"need": "needs", "wish": "wishes"})
