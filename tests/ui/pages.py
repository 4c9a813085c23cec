#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every page has a name for every control; appearance and language; help and about; 简体中文."""

import subprocess
import sys

import desktop as ui
from desktop import expect

ENGLISH = {
    "Accounts": "客户", "Contacts": "联系人", "Opportunities": "商机", "To decide": "待决定",
}


def main():
    with ui.Desktop("pages") as desktop:
        server = desktop.server()
        desktop.sign_in(server)
        app = desktop.kontor(settings={"window_width": "1280", "window_height": "860"})

        def again():
            nonlocal app
            app.stop()
            app = desktop.kontor(settings={"last_page": "'account'", "language": "''"})
            app.window("Accounts")

        suite = ui.Suite(again)

        def all_named(window, page):
            missing = ui.unnamed(window)
            expect(not missing, f"{page}: nameless: " + "; ".join(missing))

        def brightness():
            """Of the middle of the window, 0 to 255."""
            shot = desktop.home / "shade.png"
            desktop.screenshot(shot)
            said = subprocess.run(["convert", str(shot), "-crop", "60x20+600+800", "-colorspace", "Gray", "-format",
                                   "%[fx:255*mean]", "info:"], check=True, stdout=subprocess.PIPE, text=True, timeout=30).stdout
            shot.unlink()
            return float(said)

        @suite.step
        def lists_are_named():
            """no control of a list is without a name"""
            all_named(app.window("Accounts"), "list")
            for name in ("Contacts", "Opportunities", "Quotes"):
                all_named(ui.go(app.window(), name), name)
            ui.go(app.window(), "Accounts")

        @suite.step
        def record_is_named():
            """no control of a record is without a name"""
            window = app.window("Accounts")
            ui.click_row(window, ui.first_column(window)[0], 2)
            app.wait_for(lambda: app.window().here("tab", "Related"), "the record page")
            all_named(app.window(), "record")
            app.window().find("tab", "Related").click()
            app.settle()
            all_named(app.window(), "related lists")
            desktop.keys("alt+Left")
            app.window("Accounts")
            desktop.keys("ctrl+n")
            all_named(app.window("New Account"), "new record")
            desktop.keys("alt+Left")
            app.window("Accounts")

        @suite.step
        def others_are_named():
            """no control of search, review, bin and outbox is without a name"""
            desktop.keys("ctrl+k")
            window = app.window("Search")
            window.find("search box", "Search everything")
            desktop.write("an")
            window.find("list", "Results")
            all_named(window, "search")
            desktop.keys("ctrl+shift+r")
            all_named(app.window("To Decide"), "review")
            ui.go(app.window(), "Accounts")
            app.window().find("button", ui.SYNC_OK).do()
            app.window().find("switch", "Pause")
            all_named(app.window(), "outbox")
            desktop.keys("Escape")
            ui.choose(app.window("Accounts").find("button", "Import, export, bin"), "Import…")
            all_named(app.window("Import Accounts"), "import")
            desktop.keys("Escape")
            app.window("Accounts")

        @suite.step
        def dark_and_light():
            """dark and light are chosen in the preferences and take effect at once"""
            ui.go(app.window(), "Accounts")
            desktop.keys("ctrl+comma")
            preferences = app.window("Preferences")
            all_named(preferences, "preferences")
            light = brightness()
            pick(preferences, "Colours", "Dark")
            app.wait_for(lambda: brightness() < light - 100, "the dark")
            pick(preferences, "Colours", "Light")
            app.wait_for(lambda: abs(brightness() - light) < 20, "the light")

        def pick(preferences, row, choice):
            combo = preferences.find(None, ui.re.compile(f"^{row}"), only=("combo box", "list item", "row"))
            combo.click()
            item = preferences.find("label", choice) if choice != "Light" else None
            names = {"Dark": 2, "Light": 1, "简体中文": 2, "English": 1}
            expect(item is None or item.shown, "no such choice")
            desktop.keys("Home", *["Down"] * names[choice], "Return")

        @suite.step
        def chinese_by_choice():
            """简体中文 is chosen in the preferences and is there after the next start"""
            nonlocal app
            preferences = app.window("Preferences")
            pick(preferences, "Language", "简体中文")
            preferences.says("The language changes when Kontor is started again.")
            desktop.keys("Escape")
            app.window("Accounts")
            desktop.keys("ctrl+q")
            expect(app.wait_end() == 0, "it did not end well")
            app = desktop.kontor()
            window = app.window("客户")
            objects = window.find("list", "对象")
            for chinese in ENGLISH.values():
                objects.find("list item", chinese)
            window.says(ui.re.compile("60 ?条记录|60 条"))
            window.find("button", ui.re.compile("^已是最新|^已同步|^最新"))

        @suite.step
        def no_english_left():
            """on a Chinese page nothing of the program's own is in English"""
            window = app.window("客户")
            left = english(window)
            ui.click_row(window, ui.first_column(window)[0], 2)
            app.wait_for(lambda: app.window().here("tab"), "the record page")
            left += english(app.window())
            expect(not left, "in English: " + "; ".join(sorted(set(left))))
            desktop.keys("alt+Left")

        def english(window):
            """Names of buttons, tabs, headings, menus: words of the program, not of the data."""
            found = []
            for node in window.walk(rows=3):
                try:
                    if node.role in ("button", "tab", "column header", "search box", "combo box", "switch", "text box") and node.shown:
                        name = node.name or next((n.name for n in node.look("label")), "")
                        if ui.re.search(r"[A-Za-z]{4}", name.split(":")[0]) and not ui.re.search("Kontor|Sofia|http", name):
                            found.append(f"{node.role} {name}")
                except ui.Gone:
                    continue
            return found

        @suite.step
        def help_and_about():
            """the shortcuts window and the about window open and close"""
            nonlocal app
            app.stop()
            app = desktop.kontor(settings={"language": "''"})
            app.window("Accounts")
            desktop.keys("ctrl+question")
            shortcuts = app.wait_for(lambda: next((w for w in app.windows() if w.here(None, ui.re.compile("Search everything"))
                                                   and w.name != "Accounts"), None), "the shortcuts")
            shortcuts.says("Questions to decide")
            desktop.keys("Escape")
            app.wait_for(lambda: len(app.windows()) == 1, "the shortcuts closing")
            ui.choose(app.window("Accounts").find("button", "Main menu"), "About Kontor")
            about = app.wait_for(lambda: next((w for w in app.windows() if w.name != "Accounts"), None), "the about window")
            about.says("Kontor")
            about.says("0.1.0")
            desktop.keys("Escape")
            app.wait_for(lambda: len(app.windows()) == 1, "the about window closing")

        @suite.step
        def narrow():
            """a narrow window shows one thing at a time, and leads back"""
            nonlocal app
            desktop.keys("ctrl+q")
            app.wait_end()
            app = desktop.kontor(settings={"window_width": "400", "window_height": "800"})
            window = app.window("Accounts")
            app.wait_for(lambda w=window: ui.first_column(w), "the rows")
            expect(not window.here("list", "Objects"), "both stand side by side")
            all_named(window, "narrow list")
            ui.click_row(window, ui.first_column(window)[0], 2)
            app.wait_for(lambda: app.window().name not in ("Accounts", ""), "the record")
            app.wait_for(lambda: any(n.shown for n in app.window().look("text box", ui.re.compile("^Account name"))), "the form")
            all_named(app.window(), "narrow record")
            expect(app.window().extents[2] <= 400, f"the window grew to {app.window().extents[2]}")
            app.window().find("button", "Back").click()
            app.window("Accounts").find("button", "Back").click()
            app.window().find("list", "Objects")

        @suite.step
        def no_complaints():
            """nothing was written that GLib or GTK complain of"""
            ui.no_complaints(desktop)

        return suite.run(desktop)


if __name__ == "__main__":
    sys.exit(main())
