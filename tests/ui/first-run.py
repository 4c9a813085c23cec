#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""First run: what a person meets before there is a profile, driven by keys and pointer."""

import socket
import sys

import desktop as ui
from desktop import expect


def main():
    with ui.Desktop("first-run") as desktop:
        server = desktop.server()
        app = desktop.kontor(settings={"window_width": "1100", "window_height": "760"})
        suite = ui.Suite(again=lambda: None)

        def fill(address, user, password):
            window = app.window()
            for name, text in (("Server address", address), ("User name", user), ("Password", password)):
                window.find("text box", name).type_text(text)
            button = window.find("button", "Sign In")
            app.wait_for(lambda: button.has("sensitive"), "Sign In being possible")
            button.click()

        @suite.step
        def offers_sign_in():
            """a new profile offers to sign in, and nothing else"""
            window = app.window("Kontor")
            window.says("Welcome to Kontor")
            expect(not window.find("button", "Sign In").has("sensitive"), "Sign In is there before anything is typed")
            expect(not window.here("list", "Objects"), "the sidebar is shown before there is anything to show")

        @suite.step
        def server_that_is_not_there():
            """an address where nobody answers is said in words"""
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                address = f"http://127.0.0.1:{free.getsockname()[1]}"
            fill(address, ui.USER, ui.PASSWORD)
            app.window().says(r_any("cannot be reached", "not reach", "refused", "No server"))

        @suite.step
        def address_that_is_none():
            """an address that is none is said in words"""
            fill("not an address", ui.USER, ui.PASSWORD)
            app.window().says(r_any("not an address", "is no address", "is not a valid"))

        @suite.step
        def wrong_password():
            """a wrong password is said in words, and typing again works"""
            fill(server.address, ui.USER, "wrong")
            app.window().says("User name or password is wrong")
            expect(app.window().here("text box", "Password"), "the form went away")

        @suite.step
        def right_password():
            """the right one leads to the first list, with everything there"""
            fill(server.address, ui.USER, ui.PASSWORD)
            window = app.window("Accounts")
            window.says("60 records")
            window.find("button", ui.SYNC_OK)

        @suite.step
        def started_again():
            """started again, it asks nothing"""
            nonlocal app
            desktop.keys("ctrl+q")
            expect(app.wait_end() == 0, "it did not end well")
            app = desktop.kontor()
            app.window("Accounts").says("60 records")

        @suite.step
        def without_server():
            """started again without the server, everything is there, and it says so quietly"""
            nonlocal app
            desktop.keys("ctrl+q")
            app.wait_end()
            server.stop()
            app = desktop.kontor()
            window = app.window("Accounts")
            window.says("60 records")
            window.find("button", ui.re.compile("^Offline"))

        @suite.step
        def locked_profile():
            """a profile that is damaged is said with its remedy"""
            nonlocal app
            desktop.keys("ctrl+q")
            app.wait_end()
            folder = desktop.home / "data/broken"
            folder.mkdir()
            for file in (desktop.home / "data/kontor").iterdir():
                if file.is_file():
                    (folder / file.name).write_bytes(b"this is no database at all" * 400 if file.suffix in (".db", ".sqlite")
                                                     else file.read_bytes())
            app = desktop.kontor("--profile", str(folder))
            app.window().says("The Profile Cannot Be Opened")
            expect(len(app.window().texts()) >= 2, "only the title is shown")

        @suite.step
        def the_demo():
            """“Try the Demo” starts a company of its own on this computer"""
            nonlocal app
            app.stop()
            app = desktop.kontor("--profile", str(desktop.home / "data/other"))
            app.window().find("button", "Try the Demo").click()
            app.window("Accounts").says("60 records")
            desktop.keys("ctrl+q")
            expect(app.wait_end() == 0, "it did not end well")

        @suite.step
        def no_complaints():
            """nothing was written that GLib or GTK complain of"""
            ui.no_complaints(desktop)

        return suite.run(desktop)


def r_any(*words):
    return ui.re.compile("|".join(words), ui.re.IGNORECASE)


if __name__ == "__main__":
    sys.exit(main())
