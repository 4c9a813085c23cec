#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table is brought in by the assistant: file chooser, mapping, try, import, report, undo; and taken out again."""

import sys

import desktop as ui
from desktop import expect

TABLE = ("\ufeffName;Phone;City;Employees\n"
         "Aaa Import One;+49 30 1111111;Berlin;12\n"
         "\"Aaa Import; Two\";+49 30 2222222;Hamburg;7\n"
         "Aaa Import Three;+49 30 3333333;München;many\n"
         "Adria Desalination;+385 1 999 9999;Split;121\n")


def main():
    with ui.Desktop("import") as desktop:
        server = desktop.server()
        desktop.sign_in(server)
        folder = desktop.home / "tables"
        folder.mkdir()
        (folder / "accounts.csv").write_text(TABLE, encoding="utf-8")
        (folder / "picture.csv").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40)
        (folder / "chinese.csv").write_bytes("客户名称,电话\n阿啊进口公司,+86 10 5555 0001\n".encode("gb18030"))
        app = desktop.kontor(settings={"window_width": "1280", "window_height": "860"})

        def again():
            nonlocal app
            app.stop()
            app = desktop.kontor(settings={"last_page": "'account'"})
            app.window("Accounts")

        suite = ui.Suite(again)

        def choose(name):
            """Import…, and the path typed into the file chooser."""
            ui.choose(app.window("Accounts").find("button", "Import, export, bin"), "Import…")
            assistant = app.window("Import Accounts")
            assistant.find("button", "Choose a File…").click()
            chooser = app.window("Choose a Table")
            type_path(chooser, folder / name, "Open")
            return app.window("Import Accounts")

        def type_path(chooser, path, button):
            desktop.keys("ctrl+l")
            entry = app.wait_for(lambda: next((n for n in chooser.walk() if n.role == "text box" and n.has("focused")), None),
                                 "the place for a path")
            desktop.keys("ctrl+a")
            desktop.write(str(path))
            app.wait_for(lambda: entry.text == str(path), "the path standing there")
            # The chooser looks the path up in its own time; until then the button does nothing.
            app.wait_for(lambda: chooser not in app.windows() or not press(chooser, button), "the chooser closing")

        def press(chooser, button):
            for node in chooser.look("button", button):
                node.do()
            return True

        def close(assistant):
            assistant.find("button", "Close").click()
            return app.window("Accounts")

        @suite.step
        def mapping_is_guessed():
            """headings are recognised, samples shown; nothing happens before the try"""
            assistant = choose("accounts.csv")
            assistant.says("accounts.csv")
            columns = assistant.find("list", "Columns of the file and their fields")
            for column, target in (("Name", "Account name"), ("Phone", "Phone"), ("Employees", "Employees")):
                choice = columns.find(None, ui.re.compile(f"^Field for column {column}"))
                choice.says(target)
            columns.says(ui.re.compile("Aaa Import One"))
            assistant.find("button", "Try It").click()

        @suite.step
        def tries_first():
            """the try says what would happen, with row and column of what is wrong"""
            assistant = app.window("Import Accounts")
            assistant.says("Nothing has been changed yet")
            assistant.says(ui.re.compile("[23] new"))
            assistant.says("1 rejected")
            problem = assistant.find("list", "What is wrong with the rejected rows")
            problem.says(ui.re.compile("many"))
            problem.says(ui.re.compile("Employees"))
            expect("60 records" in " ".join(ui.find_window(app, "Accounts").texts()), "the try changed something")

        @suite.step
        def imports():
            """the import makes the good rows; the list shows them at once"""
            assistant = app.window("Import Accounts")
            assistant.find("button", "Import").click()
            assistant.says("Import Finished")
            window = ui.find_window(app, "Accounts")
            app.wait_for(lambda: "Aaa Import One" in ui.first_column(window), "the new row")
            expect("Aaa Import; Two" in ui.first_column(window), "the quoted name is wrong")
            expect("Aaa Import Three" not in ui.first_column(window), "the bad row went in")

        @suite.step
        def saves_report():
            """the rejected rows are saved as a file that can be mended and imported"""
            app.window("Import Accounts").find("button", ui.re.compile("Report|Rejected")).click()
            chooser = app.window("Rejected Rows")
            type_path(chooser, folder / "rejected.csv", "Save")
            app.wait_for(lambda: (folder / "rejected.csv").exists() and (folder / "rejected.csv").stat().st_size > 0, "the file")
            text = (folder / "rejected.csv").read_text(encoding="utf-8-sig")
            expect("Aaa Import Three" in text and "many" in text, f"the report holds {text!r}")
            app.window("Import Accounts")

        @suite.step
        def takes_back():
            """the whole import is taken back by one press"""
            assistant = app.window("Import Accounts")
            assistant.find("button", ui.re.compile("^Undo|Take Back|Take It Back")).click()
            assistant.says("The Import Was Taken Back")
            window = close(assistant)
            app.wait_for(lambda: "Aaa Import One" not in ui.first_column(window), "the row going away")
            window.says("60 records")

        @suite.step
        def not_a_table():
            """a picture is refused in words"""
            assistant = choose("picture.csv")
            assistant.says(ui.re.compile("not a table|not text|no table|picture|image|binary", ui.re.IGNORECASE))
            close(assistant)

        @suite.step
        def chinese_encoding():
            """a file in GB18030 with Chinese headings is read as it is meant"""
            assistant = choose("chinese.csv")
            assistant.says("GB18030")
            assistant.says("阿啊进口公司")
            columns = assistant.find("list", "Columns of the file and their fields")
            columns.find(None, ui.re.compile("^Field for column 客户名称")).says("Account name")
            desktop.keys("Escape")
            app.window("Accounts")

        @suite.step
        def exports():
            """Export… writes what the list shows"""
            ui.choose(app.window("Accounts").find("button", "Import, export, bin"), "Export…")
            chooser = app.window("Export")
            type_path(chooser, folder / "out.csv", "Export")
            app.window("Accounts").says("60 records exported")
            lines = (folder / "out.csv").read_text(encoding="utf-8-sig").splitlines()
            expect(len(lines) >= 61 and any("Adria Desalination" in line for line in lines), f"{len(lines)} lines were written")

        @suite.step
        def no_complaints():
            """nothing was written that GLib or GTK complain of"""
            ui.no_complaints(desktop)

        return suite.run(desktop)


if __name__ == "__main__":
    sys.exit(main())
