#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every object of the schema has a list and a form that open without complaint."""

import sys

import desktop as ui
from desktop import expect


def main():
    with ui.Desktop("objects") as desktop:
        server = desktop.server()
        desktop.sign_in(server)
        app = desktop.kontor(settings={"window_width": "1280", "window_height": "860"})
        suite = ui.Suite()

        @suite.step
        def every_object_opens():
            """every object of the sidebar opens as a list and makes a new record without complaint"""
            window = app.window()
            names = [node.name for node in window.find("list", "Objects").look("list item", rows=80)
                     if node.name and node.name != "To decide"]
            expect(len(names) >= 25, f"only {names}")
            for name in names:
                ui.go(app.window(), name)
                new = window.find("button", "New")
                if new.has("sensitive"):
                    desktop.keys("ctrl+n")
                    app.window(ui.re.compile("^New "))
                    desktop.keys("alt+Left")
                    app.window(name)

        @suite.step
        def no_complaints():
            """nothing was written that GLib or GTK complain of"""
            ui.no_complaints(desktop)

        return suite.run(desktop)


if __name__ == "__main__":
    sys.exit(main())
