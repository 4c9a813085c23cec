#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second client (client.py) against a real server, beside kontorctl, partly over a hostile line.

    run.py SOURCE
"""

import contextlib
import json
import os
import pathlib
import random
import re
import shutil
import socket
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "system"))
import session  # noqa: E402
from client import Client, Cut, Refused  # noqa: E402
from kontor import PASSWORD, Tap, same, workplace  # noqa: E402
from proxy import Fate, Proxy  # noqa: E402
from stage import Ctl, Host  # noqa: E402

SEED = int(os.environ.get("KONTOR_SEED", "1"))


def rows_of(ctl, thing, *fields):
    return {row["id"]: {f: row.get(f) for f in fields} for row in ctl.list(thing, "--fields", ",".join(("id",) + fields))}


def equal(ctl, client, host=None):
    """Both ends, and both to each other."""
    client.sync(), ctl("sync"), client.sync(), ctl("sync")
    same(client.state["outbox"], [], "outbox")
    same(client.verify(), (True, []), "the second client")
    same(ctl.one("verify")["equal"], True, "kontorctl")
    same(ctl.one("verify")["digest"], client.request("GET", "/v1/digest")["digest"], "digest")
    for thing, field in (("account", "name"), ("contact", "last_name"), ("competitor", "name")):
        mine = {i: r[1].get(field) for i, r in client.state["records"].get(thing, {}).items() if not r[1].get("deleted_at")}
        theirs = {i: r[field] for i, r in rows_of(ctl, thing, field).items()}
        same(mine, theirs, thing)


def trying(client, what, tries=20):
    """Over a bad line: again, until it is through."""
    for _try in range(tries):
        with contextlib.suppress(Cut):
            return what()
    raise AssertionError("the line is too bad")


def meeting(tap, folder, host, line):
    ctl = Ctl(pathlib.Path(folder, "ctl"))
    ctl.sign_in(host)
    for i in range(10):
        ctl.new("competitor", f"name=Before {i}")
    ctl("sync")
    client = Client(line.url, pathlib.Path(folder, "second"))
    with tap.check("meeting: hello, login, schema; a wrong password is 401 and says nothing else"):
        same(client.hello()["kontor"], 1)
        try:
            client.login("anna", "wrong")
            raise AssertionError("a wrong password was taken")
        except Refused as no:
            same((no.status, no.code), (401, "auth"))
        client.login("anna", PASSWORD)
        schema = client.fetch_schema()
        assert any(entry["object"] == "account" for entry in schema["objects"]), list(schema)
        client.fetch_schema()
    with tap.check("the first pull, in pages, over a line that cuts, garbles and goes silent: a page counts whole or not at all"):
        for fate in (Fate("cut", "reply", 700), Fate("garbage", "reply", 900), Fate("finish", "reply", 600), Fate("half_open", "reply", 50, 0.1)):
            line.expect("/v1/pull", fate)
            cursor = client.state["cursor"]
            try:
                client.pull(limit=20)
            except Cut:
                same(client.state["records"], {}, "half a first pull is not shown")
            assert line.count("/v1/pull", fate.kind) == 1, fate
            assert cursor is None or client.state["cursor"] != "", cursor
        # Another process of it goes on where this one stood.
        client = Client(line.url, pathlib.Path(folder, "second"))
        client.pull(limit=20)
        same(len(client.all("competitor")), 10)
    with tap.check("P4 both are equal to the server, and to each other"):
        equal(ctl, client)
    return ctl, client


def pushing(tap, ctl, client, line):
    with tap.check("push: create, update, delete, restore; seen by the other"):
        ident = client.create("account", name="From the second", phone="+49 40 1", tags=["vip", "new"])
        gone = client.create("competitor", name="To the bin")
        back = client.create("competitor", name="And back")
        client.push()
        client.pull()
        client.update("account", ident, website="https://example.org", phone="+49 40 2")
        client.delete("competitor", gone)
        client.delete("competitor", back)
        client.restore("competitor", back)
        verdicts = client.push()
        same([v["outcome"] for v in verdicts], ["applied"] * 4)
        ctl("sync")
        row = ctl.get("account", ident)
        same((row["name"], row["phone"], row["website"], row["tags"]), ("From the second", "+49 40 2", "https://example.org", ["new", "vip"]))
        names = {r["name"] for r in rows_of(ctl, "competitor", "name").values()}
        assert "And back" in names and "To the bin" not in names, names
    with tap.check("1 a lost reply: sent again, the same verdict, and once"):
        for fate in (Fate("lose"), Fate("repeat"), Fate("cut", "request", 300), Fate("gateway_after"), Fate("cut", "reply", 30)):
            client.create("competitor", name=f"Lost {fate.kind} {fate.side}")
            line.expect("/v1/push", fate)
            trying(client, client.push)
            assert line.count("/v1/push", fate.kind) >= 1
        names = sorted(n for n in (r.get("name") for r in rows_after(client, "competitor")) if n.startswith("Lost"))
        same(len(names), 5)
        same(len(set(names)), 5)
    with tap.check("a settled number again: the verdict that was given; a gap: 409 and where the server stands"):
        last = client.state["settled"][-1]
        again = client.request("POST", "/v1/push", {"device": client.state["device"], "epoch": client.state["epoch"], "mutations": [last["mutation"]]})
        same((again["verdicts"][0]["outcome"], again["verdicts"][0]["seq"]), (last["outcome"], last["seq"]))
        op = client.create_op("competitor", name="Never")
        mutation = dict(last["mutation"], id=op["id"], number=last["mutation"]["number"] + 5, ops=[op])
        try:
            client.request("POST", "/v1/push", {"device": client.state["device"], "epoch": client.state["epoch"], "mutations": [mutation]})
            raise AssertionError("a gap was taken")
        except Refused as no:
            same((no.status, no.code, no.error["last_number"]), (409, "conflict", client.state["last_number"]))
    with tap.check("P12 one refused among others: it is parked, with words, and the rest goes on"):
        client.create("competitor", name="Good before")
        client.create("no_such_object", name="Bad")
        client.create("competitor", name="Good behind")
        same([v["outcome"] for v in client.push()], ["applied", "refused", "applied"])
        verdict = client.state["parked"][-1]["verdict"]
        assert verdict["code"] and verdict["message"], verdict
    return ident


def rows_after(client, thing):
    client.pull()
    return [row for row in client.all(thing).values() if row]


def deciding(tap, ctl, client, ident):
    with tap.check("P6 different fields merge, and nobody is asked"):
        equal(ctl, client)
        ctl("set", "account", ident, "website=https://ctl.example")
        ctl("sync")
        client.update("account", ident, description="by the second")
        same([v["outcome"] for v in client.push()], ["applied"])
        equal(ctl, client)
        row = client.get("account", ident)
        same((row["website"], row["description"]), ("https://ctl.example", "by the second"))
    for decision in ("kept_mine", "took_theirs"):
        with tap.check(f"a conflict: both sides and the base are there, and it is decided: {decision}"):
            equal(ctl, client)
            base = client.get("account", ident)["phone"]
            ctl("set", "account", ident, f"phone=+49 40 {decision} 1"[:30])
            ctl("sync")
            client.update("account", ident, phone=f"+49 40 {decision} 2"[:30])
            same([v["outcome"] for v in client.push()], ["review"])
            client.pull()
            (number, item), = client.conflicts().items()
            same((item["kind"], item["field"], item["base"]), ("field", "phone", base))
            assert item["mine"] != item["theirs"] and item["message"], item
            if decision == "kept_mine":
                client.decide_for_mine(number)
            else:
                client.decide(number, decision)
            same([v["outcome"] for v in client.push()], ["applied"])
            equal(ctl, client)
            same(client.conflicts(), {})
            same(client.get("account", ident)["phone"], item["mine" if decision == "kept_mine" else "theirs"])
    with tap.check("delete against edit, both ways: nothing is lost without a question"):
        one, two = client.create("competitor", name="Edited there"), client.create("competitor", name="Deleted there")
        equal(ctl, client)
        ctl("set", "competitor", one, "website=https://edit.example"), ctl("delete", "competitor", two), ctl("sync")
        client.delete("competitor", one)
        client.update("competitor", two, website="https://edit.example")
        same([v["outcome"] for v in client.push()], ["review", "merged"])
        equal(ctl, client)
        same([client.get("competitor", x).get("deleted_at") for x in (one, two)], [None, None])
        # The same person sits at both devices: asked as who deleted here, and as who deleted there.
        items = client.conflicts()
        same(sorted((item["kind"], item["record"]["id"]) for item in items.values()), sorted([("delete_edit", one), ("delete_edit", two)]))
        for number, item in items.items():
            if item["record"]["id"] == one:
                client.decide_for_mine(number)
            else:
                client.decide(number, "took_theirs")
        equal(ctl, client)
        assert client.get("competitor", one)["deleted_at"]
    with tap.check("P2 the history holds every value that anybody wrote"):
        history = client.history("account", ident)
        values = json.dumps([(h.get("new"), h.get("mine")) for h in history])
        for value in ("kept_mine 1", "kept_mine 2", "took_theirs 1", "took_theirs 2"):
            assert value[:10] in values, (value, values)


def proving(tap, ctl, client):
    with tap.check("P4 damage is found by the digest, and only what differs is fetched"):
        equal(ctl, client)
        records = client.state["records"]
        victim, other = sorted(records["competitor"])[:2]
        records["competitor"][victim][1]["name"] = "damaged"
        del records["competitor"][other]
        client.trace = []
        same(client.verify(), (False, ["competitor"]))
        fetched = [json.loads(body) for _m, path, body, _s, _d in client.trace if path == "/v1/rows"]
        client.trace = None
        same([sorted(f["ids"]) for f in fetched], [[victim, other]])
        same(client.verify(), (True, []))


def attaching(tap, ctl, client, line, folder):
    data = random.Random(SEED).randbytes(5 << 20)
    with tap.check("69 an attachment up over a breaking line, seen by the other; repeated, it is not sent again"):
        line.expect("/v1/blob/", Fate("cut", "request", 300000))
        line.expect("/v1/blob/", Fate("lose"))
        line.expect("/v1/blob/", Fate("repeat"))
        name = trying(client, lambda: client.upload(data))
        parent = client.create("account", name="With a file")
        client.create("file", name="large.bin", sha256=name, size=len(data), mime="application/octet-stream",
                      parent={"object": "account", "id": parent})
        client.push()
        before = line.count("/v1/blob/")
        same(client.upload(data), name)
        same(line.count("/v1/blob/"), before)
        ctl("sync")
        (entry,) = ctl.lines("attachments", "account", parent)
        out = pathlib.Path(folder, "ctl.out")
        ctl("fetch", entry["id"], out)
        assert out.read_bytes() == data
    with tap.check("69 an attachment down: it goes on inside the file, and half is never whole"):
        path = pathlib.Path(folder, "large.bin")
        same(client.download(name, path, pieces=2), False)
        assert not path.exists()
        line.expect("/v1/blob/", Fate("cut", "reply", 200000))
        line.expect("/v1/blob/", Fate("garbage", "reply", 200000))
        trying(client, lambda: client.download(name, path))
        assert path.read_bytes() == data
        assert any(not r.startswith("bytes=0-") for r in line.ranges)


def living(tap, ctl, client):
    with tap.check("the live channel says that there is more"):
        equal(ctl, client)
        live = client.live()
        try:
            assert live.next() >= client.state["seq"]
            ctl.new("competitor", "name=Heard of"), ctl("sync")
            while live.next() <= client.state["seq"]:
                pass
            client.pull()
            assert "Heard of" in [row["name"] for row in client.all("competitor").values()]
        finally:
            live.close()


def restored(tap, folder, host, ctl, client):
    with tap.check("P10 a restored server: what it has lost goes out again, before everything else, and once"):
        equal(ctl, client)
        backup = pathlib.Path(folder, "backup")
        host.run("backup", host.folder, backup)
        after = client.create("competitor", name="After the backup")
        client.sync()
        client.update("competitor", after, website="https://after.example")
        client.sync()
        waiting = client.create("competitor", name="Not sent yet")
        host.stop()
        moved = host.folder.with_name("restored")
        host.run("restore", backup, moved)
        host.folder = moved
        host.start()
        trying(client, client.sync)
        for ident, name in ((after, "After the backup"), (waiting, "Not sent yet")):
            same(client.get("competitor", ident)["name"], name)
        same(client.get("competitor", after)["website"], "https://after.example")
        equal(ctl, client)


def copied(tap, folder, ctl, client):
    with tap.check("P11 a copied profile: the second becomes a device of its own, and nothing is done twice or lost"):
        equal(ctl, client)
        client.create("competitor", name="In both copies")
        twin_folder = pathlib.Path(folder, "twin")
        shutil.copytree(client.folder, twin_folder)
        twin = Client(client.url, twin_folder)
        client.create("competitor", name="By the first")
        twin.create("competitor", name="By the copy")
        client.sync(), twin.sync(), client.sync()
        assert twin.state["device"] != client.state["device"]
        for each in (client, twin):
            names = sorted(row["name"] for row in each.all("competitor").values() if row and row["name"].startswith(("In both", "By the")))
            same(names, ["By the copy", "By the first", "In both copies"])
        twin.create("competitor", name="By the copy, later"), twin.sync()
        equal(ctl, client)


def leaving(tap, folder, host, client):
    """Somebody who may not see everything."""
    host.add_user("ben", "--role", "Sales rep")
    ben = Client(client.url, pathlib.Path(folder, "ben"))
    with tap.check("P8 a rep gets what a rep may see, and the rights that go with it"):
        client.sync()
        ben.login("ben", PASSWORD)
        ben.pull(limit=50)
        everything = {i for i, row in client.all("account").items() if row}
        assert everything and not everything & set(ben.all("account")), "another's account on the device of a rep"
        rights = ben.fetch_access()
        assert not rights["admin"] and rights["objects"]["account"]["create"] == "yes", rights
        same(ben.verify(), (True, []))
    me, him = client.state["user"]["id"], ben.state["user"]["id"]
    given = client.create("account", name="Given to Ben", owner=him)
    client.sync()
    with tap.check("P8 a record enters, and leaves: gone, and the digest is equal each time"):
        ben.pull()
        same(ben.get("account", given)["name"], "Given to Ben")
        client.update("account", given, owner=me)
        client.sync()
        pages = ben.pull()
        same([g for page in pages for g in page.gone], [("account", given)])
        same(ben.get("account", given), None)
        same(ben.verify(), (True, []))
    with tap.check("48 an edit of a record that is being taken away waits for its owner, whole"):
        client.update("account", given, owner=him)
        client.sync(), ben.sync()
        client.update("account", given, owner=me)
        client.sync()
        ben.update("account", given, phone="+49 40 ben")
        same([v["outcome"] for v in ben.push()], ["review"])
        ben.pull()
        same(ben.get("account", given), None)
        client.pull()
        ((number, item),) = client.conflicts().items()
        same((item["kind"], item["record"]["id"], item["mutation"]["ops"][0]["fields"]["phone"][1]), ("scope", given, "+49 40 ben"))
        client.decide(number, "kept_mine", [client.update_op("account", given, phone="+49 40 ben")])
        client.sync()
        same(client.get("account", given)["phone"], "+49 40 ben")
        same(client.conflicts(), {})
    with tap.check("P8 roles and teams change: what comes and what goes, and nothing else"):
        for words, count in ((("--role", "Admin"), len(everything) + 1), (("--role", "Sales rep"), 0)):
            host.run("user", "set", host.folder, "ben", *words)
            ben.pull(limit=50)
            same(len([1 for row in ben.all("account").values() if row]), count, words[1])
            same(ben.verify(), (True, []))
    with tap.check("P8 a field that is hidden, and one that is masked: they leave, and come back"):
        shown = client.create("account", name="With fields", phone="+49 40 123456", website="https://fields.example")
        role = client.create("role", name="Shy", scope={"account": {"read": "all", "edit": "all", "create": "yes"}},
                             fields={"account": {"website": {"read": "no"}, "phone": {"read": "mask"}}})
        same([v["outcome"] for v in client.push()], ["applied", "applied"])
        host.run("user", "set", host.folder, "ben", "--role", "Shy")
        ben.pull()
        row = ben.get("account", shown)
        assert "website" not in row and row["phone"] != "+49 40 123456" and "*" in row["phone"], row
        same(ben.verify(), (True, []))
        ben.update("account", shown, website="https://guessed.example")
        same([(v["outcome"], v.get("code")) for v in ben.push()], [("refused", "forbidden")])
        client.pull()
        client.update("role", role, fields={})
        client.push()
        ben.pull()
        row = ben.get("account", shown)
        same((row["website"], row["phone"]), ("https://fields.example", "+49 40 123456"))
        client.update("role", role, fields={"account": {"website": {"read": "no"}}})
        client.push()
        ben.pull()
        assert "website" not in ben.get("account", shown)
        assert "https://fields.example" not in pathlib.Path(ben.file).read_text(encoding="utf-8")
        same(ben.verify(), (True, []))
        client.pull()
    with tap.check("a cursor of somebody else is refused"):
        try:
            ben.request("GET", "/v1/pull", query={"cursor": client.state["cursor"]})
            raise AssertionError("taken")
        except Refused as no:
            same((no.status, no.code), (400, "invalid"))


def status_of(host, method, path, *headers):
    """Of a request that never sends its body."""
    with socket.create_connection(("127.0.0.1", host.port), timeout=30) as line:
        line.sendall("\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode())
        return int(line.recv(100).split(b" ")[1])


def table(tap, source, host, client):
    """Every row of the table of paths, asked."""
    text = pathlib.Path(source, "docs", "protocol.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(GET|POST|PUT) (/v1/[^`]*)` \| (0|\d+ [KM]iB) \| (no|yes)", text, re.M)
    paths = {}
    with tap.check(f"the table of paths is true: {len(rows)} rows"):
        assert len(rows) >= 15, rows
        bearer = "Authorization: Bearer " + client.state["token"]
        for method, path, limit, token in rows:
            path = path.replace("SHA256", "0" * 64)
            paths.setdefault(path, set()).add(method)
            if token == "yes":
                same(status_of(host, method, path, "Content-Length: 0"), 401, path)
            elif method == "GET":
                same(status_of(host, method, path), 200, path)
            number, _, unit = limit.partition(" ")
            size = int(number) * {"": 1, "KiB": 1 << 10, "MiB": 1 << 20}[unit]
            same(status_of(host, method, path, bearer, f"Content-Length: {size + 1}", "Expect: 100-continue"), 413, path)
        for path, methods in paths.items():
            for method in {"GET", "POST", "PUT", "DELETE"} - methods:
                same(status_of(host, method, path, bearer, "Content-Length: 0"), 405, f"{method} {path}")


def strangers(tap, host, client):
    with tap.check("what is not meant for this client: another's cursor, a damaged one, a path of the future"):
        for cursor in ("nonsense", client.state["cursor"][:-4] + "AAAA"):
            try:
                client.request("GET", "/v1/pull", query={"cursor": cursor})
                raise AssertionError("a damaged cursor was taken")
            except Refused as no:
                same((no.status, no.code), (400, "invalid"))
        for path, status in (("/v1/nothing", 404), ("/v2/pull", 426)):
            try:
                client.request("GET", path)
                raise AssertionError(path)
            except Refused as no:
                same(no.status, status)
    with tap.check("logout: the token holds no longer, and the outbox is still there"):
        client.create("competitor", name="Written before leaving")
        client.logout()
        try:
            client.push()
            raise AssertionError("pushed without a session")
        except Refused as no:
            same((no.status, no.code), (401, "auth"))
        client.login("anna", PASSWORD)
        same([v["outcome"] for v in client.push()], ["applied"])


def main(source):
    tap = Tap()
    tap.say(f"KONTOR_SEED={SEED} {sys.argv[0]} {source}")
    with tap.check("the session on the page fits its own checksums and digest"):
        session.check(pathlib.Path(source, "docs", "protocol.md"))
    place = workplace()
    folder = place.name
    host = Host(pathlib.Path(folder, "server")).start()
    proxy = Proxy(host.port, SEED)
    try:
        line = proxy.line("second")
        ctl, client = meeting(tap, folder, host, line)
        ident = pushing(tap, ctl, client, line)
        deciding(tap, ctl, client, ident)
        proving(tap, ctl, client)
        attaching(tap, ctl, client, line, folder)
        living(tap, ctl, client)
        copied(tap, folder, ctl, client)
        restored(tap, folder, host, ctl, client)
        leaving(tap, folder, host, client)
        table(tap, source, host, client)
        strangers(tap, host, client)
        with tap.check("at the end all are equal, and the server is sound"):
            equal(ctl, client)
            same(host.stop(), 0)
            host.run("check", host.folder)
    finally:
        host.close()
        proxy.close()
        place.cleanup()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:2]))
