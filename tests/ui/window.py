#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists and records in the window: sort, filter, create, edit, delete, restore, search, windows of their own."""

import sys

import desktop as ui
from desktop import expect


def main():
    with ui.Desktop("window") as desktop:
        server = desktop.server()
        desktop.sign_in(server)
        app = desktop.kontor(settings={"window_width": "1280", "window_height": "860"})

        def again():
            nonlocal app
            app.stop()
            app = desktop.kontor(settings={"last_page": "'account'"})
            app.window("Accounts")

        suite = ui.Suite(again)

        @suite.step
        def lists_rows():
            """the list shows rows, counts them, and the sidebar says the same"""
            window = app.window("Accounts")
            window.says("60 records")
            names = ui.first_column(window)
            expect(len(names) >= 10 and all(names), f"rows without a name: {names}")
            expect(names == sorted(names, key=str.casefold), f"not in order: {names}")
            item = window.find("list", "Objects").find("list item", "Accounts")
            expect(item.has("selected"), "the sidebar does not show where we are")
            item.find("label", "60")

        @suite.step
        def sorts_by_header():
            """a click on a heading sorts, another one turns it round, and it is remembered"""
            window = app.window("Accounts")
            header = next(h for h in ui.grid(window).look("column header") if h.here("label", "Account name"))
            before = ui.first_column(window)
            header.click()
            app.wait_for(lambda: (names := ui.first_column(window)) and names != before
                         and names == sorted(names, key=str.casefold, reverse=True), "the order turned round")
            ui.go(window, "Contacts")
            window = ui.go(app.window(), "Accounts")
            app.wait_for(lambda: (names := ui.first_column(window)) and names[0] != before[0]
                         and names == sorted(names, key=str.casefold, reverse=True), "the order being remembered")
            header = next(h for h in ui.grid(window).look("column header") if h.here("label", "Account name"))
            header.click()
            app.wait_for(lambda: ui.first_column(window) == before, "the first order")

        @suite.step
        def filters_while_typing():
            """the quick filter narrows the list while typing, Escape brings it all back"""
            window = app.window("Accounts")
            desktop.keys("ctrl+f")
            desktop.write("baltic")
            app.wait_for(lambda: ui.first_column(window) and all("Baltic" in n for n in ui.first_column(window)), "the rows that match")
            desktop.write("zzzz")
            window.says("Nothing Matches")
            desktop.keys("Escape")
            window.says("60 records")

        @suite.step
        def creates():
            """Ctrl+N, a name, Ctrl+S make a record; nothing goes without its name"""
            desktop.keys("ctrl+n")
            window = app.window("New Account")
            name = ui.field(window, "Account name")
            app.wait_for(lambda: name.has("focused"), "the focus in the first field")
            desktop.write("Aaa Test Works")
            desktop.keys("ctrl+s")
            app.window("Aaa Test Works").says("Created account “Aaa Test Works”")
            desktop.keys("alt+Left")
            app.window("Accounts").says("61 records")
            app.wait_for(lambda: '"Aaa' in server_says("list", "account", "--where", "name = 'Aaa Test Works'"), "the server having it")

        def server_says(*words):
            desktop.ctl("data/other", "sync")
            return desktop.ctl("data/other", *words)

        def server_has(phone):
            app.wait_for(lambda: phone in server_says("list", "account", "--where", "name = 'Aaa Test Works'").replace(" ", ""),
                         "the server having it")

        def next_button(name):
            dialog = app.wait_for(lambda: next((w for w in app.windows() if w.here("button", "Cancel")), None), "the question")
            return dialog.find("button", name)

        desktop.sign_in(server, "data/other")

        @suite.step
        def required():
            """a record without its name is not saved, and the field says why"""
            desktop.keys("ctrl+n")
            window = app.window("New Account")
            ui.field(window, "Phone").type_text("+49 30 123456")
            desktop.keys("ctrl+s")
            window.says(ui.re.compile("must|needed|required|empty|missing", ui.re.IGNORECASE))
            desktop.keys("alt+Left")
            next_button("Discard").do()
            app.window("Accounts")

        @suite.step
        def edits_in_place():
            """a field is edited where it stands and saved; the list and the server have it"""
            window = app.window("Accounts")
            filter_for(window, "aaa")
            ui.click_row(window, "Aaa Test Works", 2)
            window = app.window("Aaa Test Works")
            phone = ui.field(window, "Phone")
            phone.click()
            desktop.keys("ctrl+a")
            desktop.write("+49 30 555 0199")
            save = window.find("button", "Save")
            save.click()
            app.wait_for(lambda: not window.here("button", "Save"), "the bar going away")
            server_has("5550199")
            desktop.keys("alt+Left")
            app.window("Accounts").says(ui.re.compile(r"\+49 30 555"))

        def filter_for(window, text):
            desktop.keys("ctrl+f")
            desktop.keys("ctrl+a")
            desktop.write(text)
            app.wait_for(lambda: (names := ui.first_column(window)) and len(names) <= 6, f"the rows for {text}")

        @suite.step
        def reverts():
            """Escape takes back what was typed in a field"""
            window = app.window("Accounts")
            ui.click_row(window, "Aaa Test Works", 2)
            window = app.window("Aaa Test Works")
            phone = ui.field(window, "Phone")
            old = phone.text
            phone.click()
            desktop.keys("ctrl+a")
            desktop.write("1234")
            expect(phone.text == "1234", f"typing arrived as {phone.text!r}")
            desktop.keys("Escape")
            app.wait_for(lambda: phone.text == old, "the old value")
            desktop.keys("alt+Left")
            app.window("Accounts")

        @suite.step
        def asks_before_leaving():
            """leaving with something unsaved asks; Cancel stays, Save saves and goes"""
            window = app.window("Accounts")
            ui.click_row(window, "Aaa Test Works", 2)
            window = app.window("Aaa Test Works")
            ui.field(window, "Phone").click()
            desktop.keys("ctrl+a")
            desktop.write("+49 30 555 0177")
            desktop.keys("alt+Left")
            next_button("Cancel").do()
            expect(ui.field(app.window("Aaa Test Works"), "Phone").text == "+49 30 555 0177", "what was typed is gone")
            desktop.keys("alt+Left")
            next_button("Save").do()
            app.window("Accounts")
            server_has("5550177")

        @suite.step
        def deletes_and_undoes():
            """Delete puts the selected row into the bin, and the toast takes it back"""
            window = app.window("Accounts")
            ui.click_row(window, "Aaa Test Works")
            desktop.keys("Delete")
            window.says("Deleted account “Aaa Test Works”")
            app.wait_for(lambda: "Aaa Test Works" not in ui.first_column(window), "the row going away")
            window.find("button", "Undo").do()
            ui.row(window, "Aaa Test Works")

        @suite.step
        def bin_and_restore():
            """what is in the bin can be restored from there"""
            window = app.window("Accounts")
            ui.click_row(window, "Aaa Test Works")
            desktop.keys("Delete")
            app.wait_for(lambda: "Aaa Test Works" not in ui.first_column(window), "the row going away")
            ui.choose(window.find("button", "Import, export, bin"), "Bin")
            window = app.window("Bin: Accounts")
            ui.click_row(window, "Aaa Test Works")
            window.find("button", "Restore").click()
            window.says("The Bin Is Empty")
            desktop.keys("alt+Left")
            ui.row(app.window("Accounts"), "Aaa Test Works")

        @suite.step
        def undo_by_key():
            """Ctrl+Z takes back the last deed"""
            window = app.window("Accounts")
            ui.click_row(window, "Aaa Test Works")
            desktop.keys("Delete")
            app.wait_for(lambda: "Aaa Test Works" not in ui.first_column(window), "the row going away")
            desktop.keys("ctrl+z")
            ui.row(window, "Aaa Test Works")

        @suite.step
        def searches_everything():
            """Ctrl+K finds parts of words in every kind of record, Enter opens the first"""
            desktop.keys("ctrl+k")
            window = app.window("Search")
            entry = window.find("search box", "Search everything")
            app.wait_for(lambda: entry.has("focused"), "the focus in the search box")
            desktop.write("aaa te")
            window.find("list", "Results").says("Aaa Test Works")
            desktop.keys("Return")
            app.window("Aaa Test Works")
            desktop.keys("alt+Left")
            window = app.window("Search")
            entry = window.find("search box", "Search everything")
            desktop.keys("ctrl+f")
            desktop.write("coordinator")
            window.says("Marketing & Service Coordinator")
            desktop.keys("ctrl+f")
            desktop.write("qqqqqq")
            window.says("Nothing Found")
            desktop.keys("alt+Left")
            app.window("Accounts")

        @suite.step
        def own_window():
            """a record opens in a window of its own; what is saved there shows in the other"""
            window = app.window("Accounts")
            ui.click_row(window, "Aaa Test Works")
            desktop.keys("ctrl+Return")
            own = app.wait_for(lambda: next((w for w in app.windows() if w.name.startswith("Aaa Test Works")), None), "its window")
            ui.field(own, "Phone").click()
            desktop.keys("ctrl+a")
            desktop.write("+49 30 555 0155")
            desktop.keys("ctrl+s")
            window.says(ui.re.compile(r"\+49 30 555.?01.?55"))
            desktop.keys("ctrl+w")
            app.wait_for(lambda: len(app.windows()) == 1, "the window closing")

        @suite.step
        def closing_asks():
            """closing the window with something unsaved asks"""
            window = app.window("Accounts")
            ui.click_row(window, "Aaa Test Works", 2)
            window = app.window("Aaa Test Works")
            ui.field(window, "Phone").click()
            desktop.keys("ctrl+a")
            desktop.write("123")
            desktop.keys("ctrl+q")
            next_button("Cancel").do()
            app.window("Aaa Test Works")
            expect(app.process.poll() is None, "it ended all the same")
            desktop.keys("ctrl+q")
            next_button("Discard").do()
            expect(app.wait_end() == 0, "it did not end well")

        @suite.step
        def no_complaints():
            """nothing was written that GLib or GTK complain of"""
            ui.no_complaints(desktop)

        return suite.run(desktop)


if __name__ == "__main__":
    sys.exit(main())
