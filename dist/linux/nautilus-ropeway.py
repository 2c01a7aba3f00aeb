"""Send with Ropeway, in the menu of Files (Nautilus); needs python3-nautilus."""

import locale
import subprocess

from gi.repository import GObject, Nautilus

CHINESE = (locale.getlocale()[0] or "").startswith("zh")
LABEL = "用 Ropeway 发送" if CHINESE else "Send with Ropeway"


class RopewaySend(GObject.GObject, Nautilus.MenuProvider):
    # Nautilus 3 says which window it is first, Nautilus 4 does not.
    def get_file_items(self, *arguments):
        paths = [file.get_location().get_path() for file in arguments[-1]]
        # What is not on a disk here has no path.
        if not paths or None in paths:
            return []
        item = Nautilus.MenuItem(name="Ropeway::send", label=LABEL, icon="ropeway")
        item.connect("activate", self.send, paths)
        return [item]

    def send(self, _item, paths):
        subprocess.Popen(["ropeway", "--", *paths], start_new_session=True)
