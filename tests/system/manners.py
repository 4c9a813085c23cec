#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small things said right: the exit code and the sentence when somebody means something that is not there."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kontor import PASSWORD, Tap, workplace  # noqa: E402
from stage import Ctl, Host, Stranger  # noqa: E402

REDIRECT = (b"HTTP/1.1 301 Moved\r\nLocation: https://portal.example/" + b"x" * 500
            + b"\r\nContent-Length: 0\r\n\r\n")


def outbox(tap, a):
    with tap.check("outbox: a number that nobody has is bad input, not a conflict"):
        for word in ("undo", "retry", "discard"):
            assert "99" in a.fails(2, "outbox", word, 99), word
        a.new("account", "name=Waits")
        number = a.lines("outbox")[-1]["no"]
        a.fails(3, "outbox", "discard", number)
        a("outbox", "undo", number)
        a.fails(2, "outbox", "undo", number)


def files(tap, a, place):
    table = place / "one.csv"
    table.write_text("Name\nAcme\n", encoding="utf-8")
    with tap.check("import: a report that cannot be written is said before anything is imported"):
        said = a.fails(2, "import", "account", table, "--report", place / "none" / "report.csv")
        assert "report.csv" in said, said
        assert a.one("count", "account", "--where", 'name = "Acme"') == {"count": 0}
    with tap.check("import: one row is one row"):
        assert a.plain("import", "account", table).startswith("1 row read: 1 created"), "1 row"
        table.write_text("Name\nB\nC\n", encoding="utf-8")
        assert a.plain("import", "account", table).startswith("2 rows read: 2 created"), "2 rows"
    with tap.check("export: a folder is no file"):
        said = a.fails(2, "export", "account", ".")
        assert "directory" in said.lower(), said
        a.fails(2, "export", "account", place / "none" / "out.csv")
    with tap.check("a profile whose database is a folder is named"):
        odd = Ctl(place / "odd")
        (place / "odd" / "profile.db").mkdir(parents=True)
        assert "profile.db" in odd.fails(2, "status")


def records(tap, a):
    with tap.check("restore: what is in the bin is found by its name"):
        ident = a.new("account", "name=Acc 1")
        a("delete", "account", "Acc 1")
        a.fails(2, "delete", "account", "Acc 1")
        assert a.one("restore", "account", "acc 1") == {"id": ident}
        assert a.get("account", "Acc 1")["deleted_at"] is None
        for _twice in range(2):
            a("delete", "account", a.new("account", "name=Pair"))
        assert "2" in a.fails(2, "restore", "account", "Pair")
        a.fails(2, "restore", "account", "Never")
    with tap.check("new: a web address is one"):
        for bad in ("not a url", "javascript:alert(1)", "https://"):
            said = a.fails(2, "new", "account", "name=U", f"website={bad}")
            assert "address" in said, said
        a.new("account", "name=U", "website=acme.example/start?a=1")


def addresses(tap, place):
    with tap.check("login: https where there is no TLS gets a hint"):
        b = Ctl(place / "b")
        other = Stranger(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        said = b.fails(4, "login", other.url.replace("http://", "https://"), "--user", "anna", text=PASSWORD + "\n")
        other.close()
        assert "http://" in said, said
    with tap.check("login: another address is named, and in short"):
        other = Stranger(REDIRECT)
        said = b.fails(4, "login", other.url, "--user", "anna", text=PASSWORD + "\n")
        other.close()
        assert "https://portal.example/" in said and len(said) < 250, said


def users(tap, host):
    with tap.check("user disable: not the last who administers"):
        done = host.run("user", "disable", host.folder, "anna", check=False)
        assert done.returncode == 5 and "anna" in done.stderr, done
        host.add_user("bea", "--role", "Admin")
        host.run("user", "disable", host.folder, "anna")


def main():
    tap = Tap()
    folder = workplace()
    place = pathlib.Path(folder.name)
    host = Host(place / "acme").start()
    try:
        a = Ctl(place / "a")
        a.sign_in(host)
        outbox(tap, a)
        files(tap, a, place)
        records(tap, a)
        addresses(tap, place)
        users(tap, host)
    finally:
        host.close()
        folder.cleanup()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
