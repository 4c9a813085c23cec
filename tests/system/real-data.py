#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exports of two real firms, imported the public way, and every total of the files found again.

    real-data.py SOURCE-ROOT

The trading firm's files are in tests/data/northwind. The hardware seller's carry no licence and are looked for in
KONTOR_REAL_DATA, else in ../shared/data beside the source; without them those checks are skipped.
Nothing is told to the import that a person would not have to tell it; the sums are taken straight from the files.
"""

import collections
import csv
import os
import pathlib
import sys
import time
from decimal import ROUND_HALF_UP, Decimal

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from kontor import Device, Server, Tap, same, workplace  # noqa: E402

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]).resolve()
NORTHWIND = ROOT / "tests" / "data" / "northwind"
OUTSIDE = pathlib.Path(os.environ.get("KONTOR_REAL_DATA") or ROOT.parent / "shared" / "data")
SALES = OUTSIDE / "crm-sales"
CENT = Decimal("0.01")


# ---- the files, by other means ----

def rows(path):
    """Dicts. Northwind's writer knew no quotes; a comma in a text is followed by a blank, one between cells is not."""
    with open(path, encoding="utf-8", newline="") as handle:
        reader = csv.reader(handle)
        header = next(reader)
        for cells in reader:
            while len(cells) > len(header):
                at = next(i for i, cell in enumerate(cells) if cell.startswith(" "))
                cells[at - 1:at + 1] = [cells[at - 1] + "," + cells[at]]
            assert len(cells) == len(header), cells
            yield dict(zip(header, (None if c == "NULL" else c for c in cells)))


def tally(pairs):
    """key → (how many, sum), zeros and blanks counted as nothing."""
    out = collections.defaultdict(lambda: [0, Decimal(0)])
    for key, amount in pairs:
        out[key][0] += 1
        out[key][1] += Decimal(amount or 0)
    return {key: tuple(value) for key, value in out.items()}


def squash(text):
    return "".join(c for c in text.casefold() if c.isalnum())


def address(street, city, region, postcode, country):
    parts = {"street": street, "city": city, "region": region, "postcode": postcode, "country": country}
    return {k: v for k, v in parts.items() if v} or None


# ---- what Kontor says ----

class Book:
    """What one device shows, read once."""

    def __init__(self, device):
        self.device = device
        self.kept = {}

    def all(self, kind):
        if kind not in self.kept:
            self.kept[kind] = {r["id"]: r for r in self.device.list(kind)}
        return self.kept[kind]

    def title(self, kind, ref, field="name"):
        return self.all(kind)[ref][field] if ref else None

    def by(self, kind, field):
        return {r[field]: r for r in self.all(kind).values() if r[field]}


def amount(money, currency="USD"):
    if money is None:
        return Decimal(0)
    assert money["currency"] == currency, money
    return Decimal(money["amount"])


def take(tap, device, kind, path, *options, created=None, updated=0):
    started = time.monotonic()
    result = device.one("import", kind, path, *options)
    seconds = time.monotonic() - started
    tap.say(f"{kind} from {path.name}: {result['read']} rows in {seconds:.2f} s")
    for text in result["notes"]:
        tap.say("  " + text)
    same(result["errors"], [], path.name)
    n = sum(1 for _ in rows(path))
    wanted = {"read": n, "created": n if created is None else created, "updated": updated, "unchanged": 0, "failed": 0}
    same({k: result[k] for k in wanted}, wanted, path.name)


# ---- the hardware seller ----

def make_pipeline(device):
    device("new", "pipeline", "name=Hardware sales")
    for order, (name, kind, percent) in enumerate([("Prospecting", "open", 10), ("Engaging", "open", 40),
                                                   ("Won", "won", 100), ("Lost", "lost", 0)]):
        device("new", "pipeline_stage", "pipeline=Hardware sales", f"name={name}", f"type={kind}",
               f"probability={percent}", f"order={order}")


def import_sales(tap, device):
    with tap.check("a pipeline with the stages of the seller"):
        make_pipeline(device)
    with tap.check("35 agents, their managers and offices"):
        take(tap, device, "user", SALES / "sales_teams.csv", "--create-missing")
    with tap.check("85 accounts"):
        take(tap, device, "account", SALES / "accounts.csv")
    with tap.check("7 products"):
        take(tap, device, "product", SALES / "products.csv")
    with tap.check("a trial of 8,800 opportunities says what the import will do"):
        result = device.one("import", "opportunity", SALES / "sales_pipeline.csv", "--dry-run")
        same((result["created"], result["failed"]), (8800, 0))
        same(device("count", "opportunity").strip(), '{"count":0}')
    with tap.check("8,800 opportunities"):
        started = time.monotonic()
        take(tap, device, "opportunity", SALES / "sales_pipeline.csv")
        assert time.monotonic() - started < 30, "too slow"
    with tap.check("the same file again changes nothing"):
        result = device.one("import", "opportunity", SALES / "sales_pipeline.csv", "--match", "external_id")
        same((result["created"], result["updated"], result["unchanged"], result["failed"]), (0, 0, 8800, 0))


def prove_sales(tap, book, where):
    deals = list(rows(SALES / "sales_pipeline.csv"))
    product_names = {squash(r["product"]): r["product"] for r in rows(SALES / "products.csv")}
    got = [r for r in book.all("opportunity").values() if r["external_id"]]

    def compare(what, file_key, record_key):
        with tap.check(f"{where}: number and value of deals by {what}"):
            same(tally((record_key(r), amount(r["amount"])) for r in got),
                 tally((file_key(d), d["close_value"]) for d in deals), what)

    with tap.check(f"{where}: users, managers, offices"):
        users = book.by("user", "name")
        for row in rows(SALES / "sales_teams.csv"):
            user = users[row["sales_agent"]]
            same(book.title("user", user["manager"]), row["manager"], row["sales_agent"])
            same(book.title("team", user["default_team"]), row["regional_office"], row["sales_agent"])
        assert {"Central", "East", "West"} <= {t["name"] for t in book.all("team").values()}
    with tap.check(f"{where}: accounts as in the file, “technolgy” and holdings among them"):
        accounts = book.by("account", "name")
        for row in rows(SALES / "accounts.csv"):
            record = accounts[row["account"]]
            same(record["industry"], row["sector"], row["account"])
            same(record["founded_year"], int(row["year_established"]), row["account"])
            same(record["employee_count"], int(row["employees"]), row["account"])
            same(amount(record["annual_revenue"]), Decimal(row["revenue"]), row["account"])
            same(record["billing_address"], {"country": row["office_location"]}, row["account"])
            same(book.title("account", record["parent"]), row["subsidiary_of"] or None, row["account"])
        same(sum(1 for r in accounts.values() if r["industry"] == "technolgy"), 12)
        same(sum(1 for r in accounts.values() if r["parent"]), 15)
    with tap.check(f"{where}: products and prices"):
        products = book.by("product", "name")
        for row in rows(SALES / "products.csv"):
            same(amount(products[row["product"]]["list_price"]), Decimal(row["sales_price"]), row["product"])
            same(products[row["product"]]["family"], row["series"], row["product"])

    stages = book.all("pipeline_stage")
    compare("stage", lambda d: d["deal_stage"], lambda r: book.title("pipeline_stage", r["stage"]))
    compare("owner", lambda d: d["sales_agent"], lambda r: book.title("user", r["owner"]))
    compare("account", lambda d: d["account"] or None, lambda r: book.title("account", r["account"]))
    compare("product", lambda d: product_names[squash(d["product"])], lambda r: book.title("product", r["product"]))
    compare("month of closing", lambda d: d["close_date"][:7] or None, lambda r: (r["close_date"] or "")[:7] or None)
    with tap.check(f"{where}: every single deal"):
        by_id = {r["external_id"]: r for r in got}
        same(len(by_id), 8800)
        for deal in deals:
            record = by_id[deal["opportunity_id"]]
            same((record["start_date"] or "", record["close_date"] or "",
                  "" if record["amount"] is None else str(amount(record["amount"]))),
                 (deal["engage_date"], deal["close_date"], deal["close_value"]), deal["opportunity_id"])
    with tap.check(f"{where}: stages decide pipeline, status, likelihood"):
        for record in got:
            stage = stages[record["stage"]]
            same(record["pipeline"], stage["pipeline"], record["name"])
            same(record["probability"], stage["probability"], record["name"])
            same(record["status"], stage["type"], record["name"])
        same(collections.Counter(r["status"] for r in got), {"won": 4238, "lost": 2473, "open": 2089})
    with tap.check(f"{where}: titles are made of account and product"):
        same(by_id["Z063OYW0"]["name"], "Isdom – GTX Pro")
        assert all(r["name"] for r in got)


# ---- the trading firm ----

def import_northwind(tap, device):
    with tap.check("categories, employees"):
        take(tap, device, "product_category", NORTHWIND / "categories.csv")
        take(tap, device, "user", NORTHWIND / "employees.csv")
    with tap.check("suppliers, shippers, customers, and the people there"):
        take(tap, device, "account", NORTHWIND / "suppliers.csv", "--set", "type=vendor", "--create-missing")
        take(tap, device, "account", NORTHWIND / "shippers.csv", "--set", "type=vendor")
        take(tap, device, "account", NORTHWIND / "customers.csv", "--set", "type=customer", "--create-missing")
        # They are there by name since the accounts came; now they get the rest.
        take(tap, device, "contact", NORTHWIND / "suppliers.csv", "--match", "full_name", created=0, updated=29)
        take(tap, device, "contact", NORTHWIND / "customers.csv", "--match", "full_name", created=0, updated=91)
    with tap.check("products, orders, order lines"):
        take(tap, device, "product", NORTHWIND / "products.csv")
        take(tap, device, "order", NORTHWIND / "orders.csv")
        take(tap, device, "line_item", NORTHWIND / "order-details.csv")


def prove_parties(tap, book, where):
    accounts = book.by("account", "external_id")
    contacts = book.all("contact")

    def one(key, row, kind):
        record = accounts[key]
        same((record["name"], record["type"], record["phone"], record["fax"]),
             (row["companyName"], kind, row["phone"], row["fax"]), key)
        same(record["billing_address"],
             address(row["address"], row["city"], row["region"], row["postalCode"], row["country"]), key)
        person = contacts[record["primary_contact"]]
        same((person["full_name"], person["job_title"], person["account"], person["phone"]),
             (row["contactName"], row["contactTitle"], record["id"], row["phone"]), key)

    with tap.check(f"{where}: 91 customers with address and contact"):
        for row in rows(NORTHWIND / "customers.csv"):
            one(row["customerID"], row, "customer")
    with tap.check(f"{where}: 29 suppliers, 3 shippers under numbers of their own"):
        for row in rows(NORTHWIND / "suppliers.csv"):
            one("supplier:" + row["supplierID"], row, "vendor")
        for row in rows(NORTHWIND / "shippers.csv"):
            same(accounts["shipper:" + row["shipperID"]]["name"], row["companyName"])
    with tap.check(f"{where}: 9 employees and whom they report to"):
        users = book.by("user", "external_id")
        for row in rows(NORTHWIND / "employees.csv"):
            user = users[row["employeeID"]]
            same((user["name"], user["title"]), (f"{row['firstName']} {row['lastName']}", row["title"]))
            same(user["manager"], users[row["reportsTo"]]["id"] if row["reportsTo"] else None, user["name"])
    with tap.check(f"{where}: 77 products with category, supplier, price, stock"):
        products = book.by("product", "external_id")
        names = {r["categoryID"]: r["categoryName"] for r in rows(NORTHWIND / "categories.csv")}
        for row in rows(NORTHWIND / "products.csv"):
            record = products[row["productID"]]
            same((record["name"], record["quantity_per_unit"], amount(record["list_price"]),
                  Decimal(record["stock_qty"]), Decimal(record["units_on_order"]), Decimal(record["reorder_level"]),
                  record["discontinued"], book.title("product_category", record["category"]), record["supplier"]),
                 (row["productName"], row["quantityPerUnit"], Decimal(row["unitPrice"]),
                  Decimal(row["unitsInStock"]), Decimal(row["unitsOnOrder"]), Decimal(row["reorderLevel"]),
                  row["discontinued"] == "1", names[row["categoryID"]],
                  accounts["supplier:" + row["supplierID"]]["id"]), row["productName"])


def prove_orders(tap, book, where):
    orders = list(rows(NORTHWIND / "orders.csv"))
    lines = list(rows(NORTHWIND / "order-details.csv"))
    got = book.by("order", "external_id")
    items = list(book.all("line_item").values())
    products = book.by("product", "external_id")

    def exact(line):
        return Decimal(line["unitPrice"]) * int(line["quantity"]) * (1 - Decimal(line["discount"]))

    def rounded(line):
        return exact(line).quantize(CENT, ROUND_HALF_UP)

    with tap.check(f"{where}: 830 orders with dates, carrier, freight, place"):
        accounts, users = book.by("account", "external_id"), book.by("user", "external_id")
        same(len(got), 830)
        for row in orders:
            record = got[row["orderID"]]
            same((record["order_date"], record["promised_date"], record["shipped_date"]),
                 (row["orderDate"][:10], row["requiredDate"][:10], row["shippedDate"] and row["shippedDate"][:10]))
            same((record["account"], record["owner"], record["ship_via"]),
                 (accounts[row["customerID"]]["id"], users[row["employeeID"]]["id"],
                  accounts["shipper:" + row["shipVia"]]["id"]), row["orderID"])
            same((amount(record["freight"]), record["ship_to_name"]), (Decimal(row["freight"]), row["shipName"]))
            same(record["ship_to"], address(row["shipAddress"], row["shipCity"], row["shipRegion"],
                                            row["shipPostalCode"], row["shipCountry"]), row["orderID"])
    with tap.check(f"{where}: orders and freight by customer, by employee"):
        accounts, users = book.all("account"), book.all("user")
        same(tally((accounts[r["account"]]["external_id"], amount(r["freight"])) for r in got.values()),
             tally((r["customerID"], r["freight"]) for r in orders))
        same(tally((users[r["owner"]]["external_id"], amount(r["freight"])) for r in got.values()),
             tally((r["employeeID"], r["freight"]) for r in orders))
    with tap.check(f"{where}: 2,155 lines, quantity, price and discount by order and product"):
        numbers = {r["id"]: r["external_id"] for r in got.values()}
        codes = {r["id"]: r["external_id"] for r in products.values()}

        def line(order, product, qty, price, discount):
            return (order, product, Decimal(qty), Decimal(price), Decimal(discount))

        same(collections.Counter(line(numbers[r["parent"]["id"]], codes[r["product"]], r["qty"],
                                      amount(r["unit_price"]), r["discount_pct"]) for r in items),
             collections.Counter(line(r["orderID"], r["productID"], r["quantity"], r["unitPrice"],
                                      Decimal(r["discount"]) * 100) for r in lines))
    with tap.check(f"{where}: sum of the lines of every order"):
        same(tally((numbers[r["parent"]["id"]], amount(r["total"])) for r in items),
             tally((r["orderID"], rounded(r)) for r in lines))
        total = sum(exact(r) for r in lines)
        tap.say(f"all lines: {total} exactly, {sum(amount(r['total']) for r in items)} rounded by line")
    return got, tally((r["orderID"], rounded(r)) for r in lines), orders


def prove_order_totals(tap, proof, where):
    got, sums, orders = proof
    with tap.check(f"{where}: subtotal and total of every order as the server reckons them"):
        for row in orders:
            record, lines = got[row["orderID"]], sums[row["orderID"]][1]
            same((amount(record["subtotal"]), amount(record["total"])), (lines, lines + Decimal(row["freight"])),
                 row["orderID"])


# ---- both ----

def prove(tap, device, where, sales, totals):
    book = Book(device)
    if sales:
        prove_sales(tap, book, where)
    prove_parties(tap, book, where)
    proof = prove_orders(tap, book, where)
    if totals:
        prove_order_totals(tap, proof, where)


def main():
    tap = Tap()
    sales = SALES.is_dir()
    folder = workplace()
    server = Server(pathlib.Path(folder.name) / "server")
    try:
        here, there = Device(f"{folder.name}/here"), Device(f"{folder.name}/there")
        here.login(server)
        if sales:
            import_sales(tap, here)
        else:
            tap.number += 1
            print(f"ok {tap.number} the hardware seller # SKIP {SALES} is not there")
        import_northwind(tap, here)
        prove(tap, here, "before sending", sales, totals=False)
        with tap.check("everything is taken by the server"):
            result = here.one("sync")
            same({k: result[k] for k in ("review", "refused")}, {"review": 0, "refused": 0})
            same(here.one("status")["pending"], 0)
        prove(tap, here, "importing device", sales, totals=True)
        with tap.check("a second device pulls everything"):
            there.login(server)
        prove(tap, there, "second device", sales, totals=True)
        with tap.check("both agree with the server, digest by digest"):
            for device in (here, there):
                same(device.one("verify")["equal"], True)
        with tap.check("the server ends in order"):
            same(server.stop(), 0)
            server = None
    finally:
        if server is not None:
            server.stop()
        folder.cleanup()
    return tap.end()


if __name__ == "__main__":
    sys.exit(main())
