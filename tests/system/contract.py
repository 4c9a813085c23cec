#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line as it is promised: every command, its JSON, its exit code, with a real server and two profiles."""

import csv
import os
import pathlib
import re
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kontor import PASSWORD, Tap, same, workplace  # noqa: E402
from stage import EVERYTHING, Ctl, Host, wait_until  # noqa: E402

UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")


def keys(document, *names):
    assert list(document)[:len(names)] == list(names), f"{list(document)} does not start with {names}"


def session(tap, host, a, b):
    with tap.check("login: wrong password and unknown user are 5, and say so"):
        said = a.fails(5, "login", host.url, "--user", "anna", text="wrong password\n")
        assert "password" in said
        a.fails(5, "login", host.url, "--user", "nobody", text=PASSWORD + "\n")
        a.fails(2, "login", host.url, "--user", "anna", text="")
        a.fails(5, "sync")
    with tap.check("login, sync: the numbers of the round"):
        document = a.one("login", host.url, "--user", "anna", text=PASSWORD + "\n")
        same(document["user"], "anna")
        same(document["server"], host.url)
        a.fails(3, "list", "account")
        document = a.one("sync")
        keys(document, "pulled", "pushed", "review", "refused", "cursor")
        assert document["pulled"] > 0 and document["pushed"] == 0
        same((document["review"], document["refused"]), (0, 0))
        again = a.one("sync")
        same((again["pulled"], again["pushed"], again["cursor"]), (0, 0, document["cursor"]))
        b.sign_in(host, "ben")
    with tap.check("the password is nowhere in the profile"):
        for path in pathlib.Path(a.folder).rglob("*"):
            assert path.is_dir() or PASSWORD.encode() not in path.read_bytes(), path
        same(os.stat(a.folder).st_mode & 0o777, 0o700)
        same(os.stat(pathlib.Path(a.folder, "session")).st_mode & 0o777, 0o600)
    with tap.check("status"):
        document = a.one("status")
        keys(document, "state", "user", "server", "pending")
        same((document["state"], document["user"], document["server"]), ("idle", "anna", host.url))
        same((document["pending"], document["review"]), (0, 0))
        assert TIME.match(document["last_sync"]), document


def records(tap, host, a, b):
    with tap.check("new, get: what was given and what was computed"):
        ident = a.new("account", "name=Acme Ltd", "phone=030 1", "tags=b;a", "annual_revenue=12.50 EUR")
        assert UUID.match(ident), ident
        document = a.get("account", ident)
        keys(document, "id")
        same(document["id"], ident)
        same(document["name"], "Acme Ltd")
        same(document["tags"], ["a", "b"])
        same(document["annual_revenue"], {"amount": "12.5", "currency": "EUR"})
        same(document["website"], None)
        same(a.get("account", "acme ltd")["id"], ident)
    with tap.check("set: clears, reads files, takes names, codes and labels"):
        text = pathlib.Path(a.folder, "text")
        text.write_text("one\ntwo ☃\n", encoding="utf-8")
        a("set", "account", ident, "phone=", f"description=@{text}", "type=Customer", "owner=ben", "twitter=@@acme"
          if "twitter" in a.get("account", ident) else "website=acme.example")
        document = a.get("account", ident)
        same(document["phone"], None)
        same(document["description"], "one\ntwo ☃")
        same(document["type"], "customer")
        users = {user["user_name"] if "user_name" in user else user["name"]: user["id"] for user in a.list("user")}
        same(document["owner"], users["ben"])
        a("set", "account", ident, "billing_address.city=Köln", "owner=me")
        a("set", "account", ident, "billing_address.street=Am Dom 1")
        same(a.get("account", ident)["billing_address"], {"city": "Köln", "street": "Am Dom 1"})
        same(a.get("account", ident)["owner"], users["anna"])
        contact = a.new("contact", "first_name=Ann", "last_name=Lee", "account=Acme Ltd")
        same(a.get("contact", contact)["account"], ident)
        note = a.new("note", "body=Hello", "parent=account:Acme Ltd")
        same(a.get("note", note)["parent"], {"object": "account", "id": ident})
    with tap.check("set: nothing to change is no mutation"):
        before = a.one("status")["pending"]
        a("set", "account", ident, "type=customer")
        same(a.one("status")["pending"], before)
    with tap.check("new, set: every mistake is reported, and nothing is written"):
        before = a.one("status")["pending"]
        said = a.fails(2, "new", "account", "nmae=x", "annual_revenue=much", "modified_at=2026-01-01", "owner=nobody")
        assert "did you mean “name”?" in said, said
        assert "annual_revenue" in said and "modified_at" in said and "nobody" in said, said
        said = a.fails(2, "new", "contact", "first_name=x")
        assert "required" in said.lower(), said
        a.fails(2, "set", "account", ident, "phone")
        a.fails(2, "set", "account", ident, "description=@/no/such/file")
        a.fails(2, "new", "accont", "name=x")
        a.fails(2, "get", "account", "01900000-0000-7000-8000-00000000dead")
        a.fails(2, "get", "account", "Nobody Ltd")
        same(a.one("status")["pending"], before)
    with tap.check("two of one name are not guessed between"):
        twins = [a.new("account", "name=Twin"), a.new("account", "name=Twin")]
        assert "2" in a.fails(2, "get", "account", "Twin")
        a("delete", "account", *twins)
    with tap.check("delete, restore; several at once"):
        ids = [a.new("account", f"name=Brief {n}") for n in range(3)]
        same([line["id"] for line in a.lines("delete", "account", *ids)], ids)
        same(a.one("count", "account", "--where", "name starts \"Brief\""), {"count": 0})
        assert a.get("account", ids[0])["deleted_at"]
        a.fails(2, "delete", "account", ids[1], "01900000-0000-7000-8000-00000000dead")
        same([line["id"] for line in a.lines("restore", "account", ids[1])], [ids[1]])
        same(a.one("count", "account", "--where", "name starts \"Brief\""), {"count": 1})
    with tap.check("outbox: what waits, in words"):
        entries = a.lines("outbox")
        keys(entries[0], "no", "state", "object", "id", "says", "reason")
        same((entries[0]["object"], entries[0]["id"], entries[0]["state"], entries[0]["reason"]),
             ("account", ident, "queued", None))
        assert "Acme Ltd" in entries[0]["says"]
        same(a.one("status")["pending"], len(entries))
        no = a.lines("outbox")[-1]["no"]
        a("outbox", "undo", no)
        same(len(a.lines("outbox")), len(entries) - 1)
        a.fails(2, "outbox", "frob")
    with tap.check("all of it arrives on the other device, once"):
        waiting = a.one("status")["pending"]
        same(a.one("sync")["pushed"], waiting)
        same(a.lines("outbox"), [])
        b("sync")
        theirs = b.get("account", ident)
        mine = a.get("account", ident)
        same(theirs, mine)
    return ident


def queries(tap, a, b, ident):
    with tap.check("list: filter, order, limit, fields"):
        for name, amount in (("Zwei", 200), ("Eins", 100), ("Drei", 300), ("Größe", 50)):
            a.new("competitor", f"name={name}", f"website=w{amount}.example")
        rows = a.list("competitor", "--sort", "name", "--fields", "name,website")
        same(list(rows[0]), ["id", "name", "website"])
        same([row["name"] for row in rows], ["Drei", "Eins", "Größe", "Zwei"])
        rows = a.list("competitor", "--sort", "-name", "--limit", "2", "--fields=name")
        same([row["name"] for row in rows], ["Zwei", "Größe"])
        rows = a.list("competitor", "--where", "name contains 'GROSSE' or name contains 'größe'")
        same([row["name"] for row in rows], ["Größe"])
        assert "website" in rows[0] and "created_at" in rows[0]
        same(a.list("competitor", "--where", "name = \"none\""), [])
        same(a.one("count", "competitor"), {"count": 4})
        same(a.one("count", "account", "--where", "owner = me"), a.one("count", "account"))
        said = a.fails(2, "list", "competitor", "--where", "nmae = 1")
        assert "did you mean" in said
        a.fails(2, "list", "competitor", "--where", "name = (")
        a.fails(2, "list", "competitor", "--sort", "nmae")
        a.fails(2, "list", "competitor", "--fields", "nmae")
        a.fails(2, "list", "competitor", "--limit", "0")
        same(len(a.list("account", "--bin")), 5)
    with tap.check("search"):
        hits = a.lines("search", "acme")
        keys(hits[0], "object", "id", "title", "snippet")
        assert ("account", ident) in [(hit["object"], hit["id"]) for hit in hits]
        same([hit["object"] for hit in a.lines("search", "lee", "--object", "contact")], ["contact"])
        same(len(a.lines("search", "e", "--limit", "1")), 1)
        same(a.lines("search", "nothing-like-that"), [])
    with tap.check("schema: completion finds its names, people theirs"):
        objects = a.lines("schema")
        assert "account" in [line["object"] for line in objects]
        one = a.one("schema", "opportunity")
        fields = {field["name"]: field for field in one["fields"]}
        same(fields["amount"]["type"], "money")
        same(fields["account"]["to"], ["account"])
        assert fields["forecast_category"]["options"][0]["value"]
        a.fails(2, "schema", "nothing")
        assert "opportunity" in a.plain("schema")
    with tap.check("for people: aligned, localised, nothing machine-like"):
        table = a.plain("list", "competitor", "--sort", "name").splitlines()
        assert table[0].lower().startswith("name") or "Name" in table[0], table[0]
        same(len(table), 5)
        assert "Acme Ltd" in a.plain("get", "account", ident)
        assert "idle" in a.plain("status")
        same(a.plain("count", "competitor"), "4\n")


def reviews(tap, a, b, ident):
    with tap.check("review: both sides, the facts, and a decision"):
        a("sync"), b("sync")
        a("set", "account", ident, "phone=1")
        b("set", "account", ident, "phone=2")
        a("sync")
        same(b.one("sync")["review"], 1)
        same(b.one("status")["review"], 1)
        items = b.lines("review")
        keys(items[0], "no", "kind", "object", "id", "field", "base", "mine", "theirs")
        item = items[0]
        same((item["kind"], item["object"], item["id"], item["field"]), ("field", "account", ident, "phone"))
        same((item["base"], item["mine"], item["theirs"]), (None, "2", "1"))
        same(b.lines("review", "list"), items)
        same(b.one("review", "show", item["no"]), item)
        same(a.lines("review"), [])
        assert "Phone" in b.plain("review", "show", item["no"]) or "phone" in b.plain("review", "show", item["no"])
        b.fails(2, "review", "show", "99999")
        b.fails(2, "review", "resolve", item["no"])
        b.fails(2, "review", "resolve", item["no"], "--take", "neither")
        b.fails(2, "review", "resolve", item["no"], "--take", "mine", "phone=3")
        b("review", "resolve", item["no"], "--take", "mine")
        same(b.one("sync")["review"], 0)
        a("sync")
        same((a.get("account", ident)["phone"], b.get("account", ident)["phone"]), ("2", "2"))
        b.fails(3, "review", "resolve", item["no"], "--take", "mine")
    with tap.check("review: theirs, and a third value"):
        for decision, expected in ((("--take", "theirs"), "5"), (("phone=7",), "7")):
            a("set", "account", ident, "phone=5")
            b("set", "account", ident, "phone=6")
            a("sync"), b("sync")
            item = b.lines("review")[0]
            b("review", "resolve", item["no"], *decision)
            b("sync"), a("sync")
            same((a.get("account", ident)["phone"], b.get("account", ident)["phone"]), (expected, expected))
            same(b.lines("review"), [])
            a("set", "account", ident, "phone=0")
            a("sync"), b("sync")
    with tap.check("review: a delete against an edit"):
        other = a.new("account", "name=Disputed")
        a("sync"), b("sync")
        a("set", "account", other, "phone=1")
        b("delete", "account", other)
        a("sync"), b("sync")
        item = b.lines("review")[0]
        same((item["kind"], item["id"]), ("delete", other))
        b("review", "resolve", item["no"], "--take", "mine")
        b("sync"), a("sync")
        assert a.get("account", other)["deleted_at"]


def histories(tap, a, b, ident):
    with tap.check("history: from the server, with what waits here on top"):
        a("sync")
        a("set", "account", ident, "website=new.example")
        lines = a.lines("history", "account", ident)
        keys(lines[0], "seq", "at", "user", "device")
        same((lines[0]["field"], lines[0]["new"], lines[0]["outcome"], lines[0]["seq"]),
             ("website", "new.example", "waiting", None))
        created = [line for line in lines if line["field"] == "name"][-1]
        same((created["old"], created["new"], created["outcome"], created["user"]), (None, "Acme Ltd", "applied", "anna"))
        assert created["seq"] > 0 and TIME.match(created["at"])
        assert any(line["user"] == "ben" for line in lines)
        only = a.lines("history", "account", ident, "--field", "phone")
        assert only and all(line["field"] == "phone" for line in only)
        a.fails(2, "history", "account", ident, "--field", "fone")
        a("sync")


def files(tap, folder, a, b, ident):
    content = os.urandom(2_500_000)
    path = pathlib.Path(folder, "photo.png")
    path.write_bytes(content)
    with tap.check("attach, attachments, fetch: the same bytes on the other device"):
        document = a.one("attach", "account", ident, path)
        assert UUID.match(document["id"])
        mine = a.lines("attachments", "account", ident)
        same([(f["name"], f["size"], f["mime"]) for f in mine], [("photo.png", len(content), "image/png")])
        a("sync"), b("sync")
        theirs = b.lines("attachments", "account", ident)
        same([(f["id"], f["sha256"]) for f in theirs], [(document["id"], document["sha256"])])
        out = pathlib.Path(folder, "out.png")
        b("fetch", document["id"], out)
        assert out.read_bytes() == content
        b("fetch", document["id"], folder + "/b")
        b.fails(2, "attach", "account", ident, "/no/such/file")
        b.fails(2, "fetch", "01900000-0000-7000-8000-00000000dead", out)
        b.fails(2, "fetch", document["id"], "/no/such/folder/out.png")
    with tap.check("an empty file is a file: it is sent, fetched, and holds nothing up"):
        empty = pathlib.Path(folder, "empty.txt")
        empty.touch()
        document = a.one("attach", "account", ident, empty)
        a("sync"), b("sync")
        same([f["state"] for f in a.lines("attachments", "account", ident) if f["id"] == document["id"]], ["stored"])
        b("fetch", document["id"], folder + "/nothing")
        same(pathlib.Path(folder, "nothing").read_bytes(), b"")


def tables(tap, folder, a, b):
    source = pathlib.Path(folder, "people.csv")
    source.write_text("First name,Last name,E-mail,Company\n"
                      "Ann,Able,ann@a.example,Acme Ltd\n"
                      "Ben,Baker,not an address,Acme Ltd\n"
                      "Cho,Chang,cho@c.example,\n", encoding="utf-8")
    with tap.check("import: a column that goes nowhere is named, unless it was left out by hand"):
        odd = pathlib.Path(folder, "odd.csv")
        odd.write_text("First name,Last name,Shoe size,Last name\nAnn,Able,41,Twice\n", encoding="utf-8")
        notes = a.one("import", "contact", odd, "--dry-run")["notes"]
        assert len(notes) == 1 and "Shoe size" in notes[0] and "Last name" in notes[0], notes
        notes = a.one("import", "contact", odd, "--dry-run", "--map", "Shoe size=")["notes"]
        assert len(notes) == 1 and "Shoe size" not in notes[0], notes
    with tap.check("import: dry run, bad rows reported, good ones in, matched again"):
        before = a.one("count", "contact")
        document = a.one("import", "contact", source, "--map", "Company=account", "--dry-run")
        keys(document, "read", "created", "updated", "unchanged", "failed", "errors")
        same((document["read"], document["created"], document["failed"]), (3, 2, 1))
        same(a.one("count", "contact"), before)
        report = pathlib.Path(folder, "rejected.csv")
        document = a.one("import", "contact", source, "--map", "Company=account", "--report", report)
        same((document["read"], document["created"], document["failed"]), (3, 2, 1))
        error = document["errors"][0]
        same((error["row"], error["column"]), (3, "E-mail"))
        assert error["message"]
        assert "not an address" in report.read_text(encoding="utf-8-sig")
        again = a.one("import", "contact", source, "--map", "Company=account", "--match", "email")
        same((again["created"], again["unchanged"]), (0, 2))
    with tap.check("import: what is no table, no file, no field"):
        picture = pathlib.Path(folder, "photo.png")
        a.fails(2, "import", "contact", picture)
        a.fails(2, "import", "contact", "/no/such/file.csv")
        a.fails(2, "import", "contact", source, "--map", "Nothing=account")
        a.fails(2, "import", "contact", source, "--map", "Company=acount")
        a.fails(2, "import", "contact", source, "--match", "emial")
    with tap.check("export, and back in"):
        out = pathlib.Path(folder, "out.csv")
        document = a.one("export", "contact", out, "--where", "email is not empty", "--fields", "first_name,email,account")
        same(document, {"written": 2})
        rows = list(csv.DictReader(out.open(encoding="utf-8-sig", newline="")))
        same(sorted(row[next(k for k in row if "ail" in k)] for row in rows), ["ann@a.example", "cho@c.example"])
        a.fails(2, "export", "contact", "/no/such/folder/x.csv")
        a("sync"), b("sync")
        same(b.one("count", "contact"), a.one("count", "contact"))


def verifying(tap, a, b):
    with tap.check("verify: equal; with work unsent it says so"):
        for device in (a, b):
            device("sync")
            document = device.one("verify")
            keys(document, "equal", "records", "digest")
            same(document["equal"], True)
            assert document["records"] > 0
        same(a.one("verify")["digest"], b.one("verify")["digest"])


def watching(tap, a, b, ident):
    with tap.check("sync --watch: a line a round, what others do comes by itself, SIGTERM is 0"):
        a("sync"), b("sync")
        watch = b.start("sync", "--watch")
        try:
            a("set", "account", ident, "phone=watched")
            a("sync")
            wait_until(lambda: b.get("account", ident)["phone"] == "watched", "the other device's edit")
            b("set", "account", ident, "website=watched.example")
            wait_until(lambda: a("sync") and a.get("account", ident)["website"] == "watched.example", "this device's edit")
        finally:
            watch.send_signal(signal.SIGTERM)
            out, err = watch.communicate(timeout=30)
        same((watch.returncode, err), (0, ""))
        rounds = [line for line in out.splitlines() if line]
        assert len(rounds) >= 2 and all(line.startswith('{"pulled":') for line in rounds), out


def administration(tap, host, a):
    with tap.check("users are added, disabled and given passwords while the server runs"):
        other = Ctl(pathlib.Path(a.folder).parent / "dora")
        host.add_user("dora", "--role", "Everything", "--team", "West")
        other.sign_in(host, "dora")
        other.new("account", "name=Dora's")
        host.run("user", "disable", host.folder, "dora")
        other.fails(5, "sync")
        same(other.one("status")["state"], "signed_out")
        same(other.one("status")["pending"], 1)
        other.fails(5, "login", host.url, "--user", "dora", text=PASSWORD + "\n")
        host.run("user", "disable", host.folder, "dora", "--enable", check=False)
        names = host.run("user", "list", host.folder, "--json").stdout
        assert '"dora"' in names and '"anna"' in names, names


def leaving(tap, host, a, b):
    with tap.check("offline: everything but the server's part works, and is 4"):
        host.stop()
        a("list", "account"), a("search", "acme"), a("status"), a("outbox"), a("review")
        late = a.new("account", "name=Written offline")
        said = a.fails(4, "sync")
        assert "refused" in said, said
        a.fails(4, "verify")
        done = a.run("history", "account", late)
        same(done.returncode, 0)
        assert "kept here" in done.stderr
        same(a.one("status")["pending"], 1)
        host.start()
        same(a.one("sync")["pushed"], 1)
    with tap.check("logout keeps unsettled work and says so; another user is turned away (55)"):
        a.new("account", "name=Left behind")
        done = a.run("logout")
        same((done.returncode, done.stdout), (0, '{"unsettled":1}\n'))
        assert "kept" in done.stderr
        same(a.one("status")["state"], "signed_out")
        same(a.one("status")["user"], "anna")
        a.fails(5, "sync")
        a.fails(3, "login", host.url, "--user", "ben", text=PASSWORD + "\n")
        a("login", host.url, "--user", "anna", text=PASSWORD + "\n")
        same(a.one("sync")["pushed"], 1)


def programs(tap):
    with tap.check("help everywhere, on stdout, code 0"):
        program = os.environ["KONTORCTL"]
        done = subprocess.run([program, "--help"], capture_output=True, text=True)
        same((done.returncode, done.stderr), (0, ""))
        names = re.findall(r"^  ([a-z]+) ", done.stdout, re.M)
        assert len(names) >= 20, names
        for name in names:
            done = subprocess.run([program, name, "--help"], capture_output=True, text=True)
            assert done.returncode == 0 and done.stdout.startswith("Usage: kontorctl"), name
    with tap.check("a full disk under the output is an error"):
        with open("/dev/full", "w", encoding="utf-8") as full:
            done = subprocess.run([program, "--help"], stdout=full, stderr=subprocess.PIPE, text=True)
        same(done.returncode, 1)


def main():
    tap = Tap()
    place = workplace()
    folder = place.name
    host = Host(pathlib.Path(folder, "server")).start()
    try:
        host.add_role("Everything", EVERYTHING)
        host.add_user("ben", "--role", "Everything")
        a, b = Ctl(pathlib.Path(folder, "a")), Ctl(pathlib.Path(folder, "b"))
        programs(tap)
        session(tap, host, a, b)
        ident = records(tap, host, a, b)
        queries(tap, a, b, ident)
        reviews(tap, a, b, ident)
        histories(tap, a, b, ident)
        files(tap, folder, a, b, ident)
        tables(tap, folder, a, b)
        verifying(tap, a, b)
        watching(tap, a, b, ident)
        administration(tap, host, a)
        leaving(tap, host, a, b)
        verifying(tap, a, b)
        with tap.check("the server is sound, and ends with 0"):
            same(host.stop(), 0)
            host.run("check", host.folder)
    finally:
        host.close()
        place.cleanup()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
