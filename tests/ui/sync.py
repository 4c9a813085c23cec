#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees of syncing: the popover, the outbox, rules, versions, prepare for travel, and a pause that lasts."""

import json
import os
import sys

import desktop as ui
from desktop import expect

NAMES = ("Acque di Roma", "Alpenmilch eG")


def main():
    with ui.Desktop("sync") as desktop:
        server = desktop.server()
        desktop.sign_in(server)
        desktop.sign_in(server, "data/other")
        app = desktop.kontor(settings={"window_width": "1280", "window_height": "900"})

        def again():
            nonlocal app
            app.stop()
            if server.process.poll() is not None:
                server.start()
            app = desktop.kontor(settings={"last_page": "'account'"})
            app.window("Accounts")

        suite = ui.Suite(again)

        def look(name):
            """A picture for people, when somebody wants to look."""
            if "KONTOR_UI_PICTURES" in os.environ:
                app.settle()
                desktop.screenshot(os.path.join(os.environ["KONTOR_UI_PICTURES"], name + ".png"))

        def other(*words):
            return desktop.ctl("data/other", *words)

        def account(name):
            return json.loads(other("list", "account", "--where", f"name = '{name}'", "--fields", "phone,website").splitlines()[0])

        def indicator(pattern, seconds=ui.SECONDS):
            return app.window().find("button", ui.re.compile(pattern), seconds)

        def pause(says):
            indicator(says).do()
            app.window().find("switch", "Pause").do()
            desktop.keys("Escape")

        def edit(name, label, text):
            window = app.window("Accounts")
            ui.click_row(window, name, 2)
            window = app.window(name)
            ui.field(window, label).click()
            desktop.keys("ctrl+a")
            desktop.write(text)
            desktop.keys("ctrl+s")
            app.wait_for(lambda: not window.here("button", "Save"), "the bar going away")
            desktop.keys("alt+Left")
            return app.window("Accounts")

        @suite.step
        def popover():
            """the popover says the state, the data used, and leads on"""
            indicator("^Up to date").do()
            window = app.window()
            window.says("Up to date")
            window.says("Data used")
            window.says(ui.re.compile("since the start"))
            window.find("button", "Open the Outbox")
            window.find("button", "Prepare for Travel…")
            look("popover")
            desktop.keys("Escape")

        @suite.step
        def pause_lasts():
            """a pause says what it means and outlives the program; edits go on"""
            nonlocal app
            indicator("^Up to date").do()
            app.window().find("switch", "Pause").do()
            app.window().says(ui.re.compile("also after a restart"))
            look("paused")
            desktop.keys("Escape")
            indicator("^Paused")
            desktop.keys("ctrl+q")
            expect(app.wait_end() == 0, "it did not end well")
            app = desktop.kontor()
            app.window("Accounts")
            indicator("^Paused")
            for name, phone in zip(NAMES, ("+39 06 555 0303", "+49 40 555 0303")):
                edit(name, "Phone", phone)
            indicator("2 changes")

        @suite.step
        def outbox_page():
            """the outbox by record, with the keyboard: Delete takes back, and nothing else goes"""
            edit(NAMES[0], "Website", "https://taken-back.example")
            desktop.keys("ctrl+shift+o")
            window = app.window("Outbox")
            window.says(ui.re.compile("3 changes not on the server yet"))
            page = window.find("list", "Changes waiting to be sent")
            page.says("taken-back")
            look("outbox")
            row = window.find("list item", ui.re.compile("taken-back"))
            row.find("button", "Take back").click()
            window.says(ui.re.compile("2 changes not on the server yet"))

        @suite.step
        def rule():
            """two questions, one rule: what it decides is shown, done as one step, and taken back"""
            for name, phone in zip(NAMES, ("+39 06 555 0404", "+49 40 555 0404")):
                other("set", "account", account(name)["id"], "phone=" + phone)
            other("sync")
            pause("^Paused")
            indicator("2 changes need you", 30)
            desktop.keys("ctrl+shift+r")
            window = app.window("To Decide")
            look("review")
            window.find("button", "By a Rule…").click()
            dialog = app.window("Decide by a Rule")
            dialog.find("list", "What the rule decides").says(NAMES[1])
            look("rule")
            dialog.find("button", "Decide 2 Questions").click()
            window = app.window("To Decide")
            window.says("Nothing to Decide")
            window.says("Decided 2 questions")
            window.find("button", "Undo").click()
            window.find("list", "Questions to decide").says(NAMES[1])

        @suite.step
        def ask_again():
            """a question long decided is asked again from the list below"""
            window = app.window("To Decide")
            window.find("button", ui.re.compile("^Keep Mine.*0303")).click()
            decided = window.find("list", "Decided lately")
            look("decided")
            decided.find("button", "Ask Again").click()
            app.wait_for(lambda: sum(1 for n in window.look("button", ui.re.compile("^Keep Mine")) if n.shown) >= 2, "both questions")
            indicator("2 changes need you", 30)

        @suite.step
        def versions():
            """all versions of a field, the one that lost among them, and one is put back"""
            ui.go(app.window(), "Accounts")
            ui.click_row(app.window("Accounts"), NAMES[0], 2)
            window = app.window(NAMES[0])
            ui.field(window, "Phone").click()
            desktop.keys("ctrl+h")
            dialog = app.window("All Versions")
            dialog.says(ui.re.compile("Stands now"))
            dialog.says(ui.re.compile("put to a person"))
            look("versions")
            dialog.find("button", ui.re.compile("^Put back Phone: .*0303")).click()
            dialog.says(ui.re.compile("^Changed Phone of"))
            look("put-back")
            app.settle()
            desktop.keys("Escape")
            desktop.keys("Escape")
            window = app.window(NAMES[0])
            app.wait_for(lambda: "0303" in ui.field(window, "Phone").text.replace(" ", ""), "the value put back")

        @suite.step
        def travel():
            """prepare for travel: what is here, get everything, and a rehearsal without network"""
            desktop.keys("alt+Left")
            indicator("need").do()
            app.window().find("button", "Prepare for Travel…").do()
            window = app.window("Prepare for Travel")
            window.says(ui.re.compile("^You can leave"))
            window.find("list", "What is on this computer").says("Accounts")
            window.find("button", "Get Everything Now").click()
            look("travel")
            window.find("button", "Rehearse One Minute Without Network").click()
            window.says(ui.re.compile("It works without a network"))
            indicator("Last synced")
            look("rehearsal")
            window.find("button", ui.re.compile("^End the Rehearsal")).click()
            indicator("[.] Synced")

        @suite.step
        def no_complaints():
            """nothing was written that GLib or GTK complain of"""
            ui.no_complaints(desktop)

        return suite.run(desktop)


if __name__ == "__main__":
    sys.exit(main())
