#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Without the server: edits wait, the window says so, and two people's answers are settled in the window."""

import json
import sys

import desktop as ui
from desktop import expect

NAME = "Acque di Roma"


def main():
    with ui.Desktop("offline") as desktop:
        server = desktop.server()
        desktop.sign_in(server)
        desktop.sign_in(server, "data/other")
        app = desktop.kontor(settings={"window_width": "1280", "window_height": "860"})

        def again():
            nonlocal app
            app.stop()
            if server.process.poll() is not None:
                server.start()
            app = desktop.kontor(settings={"last_page": "'account'"})
            app.window("Accounts")

        suite = ui.Suite(again)

        def other(*words):
            return desktop.ctl("data/other", *words)

        def account():
            return json.loads(other("list", "account", "--where", f"name = '{NAME}'", "--fields", "phone,website").splitlines()[0])

        def edit(label, text):
            window = app.window("Accounts")
            ui.click_row(window, NAME, 2)
            window = app.window(NAME)
            ui.field(window, label).click()
            desktop.keys("ctrl+a")
            desktop.write(text)
            desktop.keys("ctrl+s")
            app.wait_for(lambda: not window.here("button", "Save"), "the bar going away")
            desktop.keys("alt+Left")
            return app.window("Accounts")

        def indicator(pattern, seconds=ui.SECONDS):
            return app.window().find("button", ui.re.compile(pattern), seconds)

        def pause(says):
            """Turns the switch behind the indicator that says so."""
            indicator(says).do()
            app.window().find("switch", "Pause").do()
            desktop.keys("Escape")

        @suite.step
        def says_offline():
            """the server goes away: the window says so, and goes on"""
            indicator("^Up to date")
            server.stop()
            indicator("^Offline")
            app.window("Accounts").says("60 records")

        @suite.step
        def edit_waits():
            """an edit without the server is kept, marked in the list, and counted"""
            edit("Phone", "+39 06 555 0101")
            indicator("^Offline.*1 change")
            row = ui.row(app.window("Accounts"), NAME)
            app.wait_for(lambda: any(n.description == "Waiting to be sent" or "Waiting" in n.name for n in row.walk()), "the mark")

        @suite.step
        def outbox_in_sentences():
            """the outbox says in a sentence what waits"""
            button = indicator("^Offline")
            button.do()
            outbox = app.window().find("list", "Changes waiting to be sent")
            outbox.says(NAME)
            outbox.says(ui.re.compile("Phone"))
            desktop.keys("Escape")

        @suite.step
        def survives_restart():
            """what waits is still there after the program was started again"""
            nonlocal app
            desktop.keys("ctrl+q")
            expect(app.wait_end() == 0, "it did not end well")
            app = desktop.kontor()
            app.window("Accounts")
            indicator("1 change")

        @suite.step
        def settles():
            """the server comes back: what waited is settled, and the other device has it"""
            server.start()
            sync_now()
            indicator("^Up to date", 30)
            other("sync")
            expect("555 0101" in account()["phone"] or "5550101" in account()["phone"], f"the other device has {account()}")

        def sync_now():
            desktop.keys("F5")

        @suite.step
        def others_edits_arrive():
            """what others do shows without being asked for"""
            ident = account()["id"]
            other("set", "account", ident, "phone=+39 06 555 0202")
            other("sync")
            app.window("Accounts").says(ui.re.compile(r"555.?02.?02"))

        @suite.step
        def take_back():
            """what was done while syncing was paused can be taken back from the outbox"""
            pause("^Up to date")
            indicator("^Paused")
            edit("Website", "https://taken-back.example")
            indicator("1 change").do()
            outbox = app.window().find("list", "Changes waiting to be sent")
            outbox.says("taken-back")
            outbox.find("button", "Take back").do()
            app.window().says("Nothing is waiting")
            app.window().find("switch", "Pause").do()
            desktop.keys("Escape")
            indicator("^Up to date")

        @suite.step
        def makes_a_conflict():
            """two people change one thing while apart: the window says that it needs a decision"""
            pause("^Up to date")
            edit("Phone", "+39 06 555 0303")
            indicator("^Paused, 1 change")
            other("set", "account", account()["id"], "phone=+39 06 555 0404")
            other("sync")
            pause("^Paused")
            indicator("needs you", 30)
            item = app.window().find("list", "Objects").find("list item", "To decide")
            item.find("label", "1")

        @suite.step
        def shows_all_three():
            """the question shows what it was, mine and theirs"""
            desktop.keys("ctrl+shift+r")
            window = app.window("To Decide")
            page = window.find("list", "Questions to decide")
            page.says(ui.re.compile("Phone"))
            for digits in ("02.?02", "03.?03", "04.?04"):
                page.says(ui.re.compile(r"555.?" + digits))
            for name in ("Before", "Mine", "Theirs"):
                expect(page.here("label", name), f"{name} is not written")

        @suite.step
        def decision_counts_everywhere():
            """the choice takes effect here and on the other device"""
            window = app.window("To Decide")
            window.find("button", ui.re.compile("^(Keep mine|Keep Mine)")).click()
            window.says("Nothing to Decide")
            indicator("^Up to date", 30)

            def agreed():
                other("sync")
                return "0303" in account()["phone"].replace(" ", "")

            try:
                app.wait_for(agreed, "the other device having what was chosen", 30)
            except ui.Failure as failure:
                here = desktop.ctl("data/kontor", "list", "account", "--where", f"name = '{NAME}'", "--fields", "phone", check=False)
                history = other("history", "account", account()["id"], "--field", "phone")
                raise ui.Failure(f"there {account()}, here {here.strip()}, the history {history}\n{failure}") from failure
            ui.go(window, "Accounts").says(ui.re.compile(r"555.?03.?03"))
            expect(json.loads(other("verify").splitlines()[0]).get("equal") is not False, "the other copy differs from the server")

        @suite.step
        def no_complaints():
            """nothing was written that GLib or GTK complain of"""
            ui.no_complaints(desktop)

        return suite.run(desktop)


if __name__ == "__main__":
    sys.exit(main())
