#!/usr/bin/python3
"""Two real windows do the main job with real clicks and keys, on two computers joined by a cable.

    tests/window/drive.py [PROGRAM]        target/debug/ropeway by default

One switches Receive on and shows a code, the other types address and code and sends a folder and a file;
both remember each other; then files go the other way to the remembered device, which is found by itself;
then something is said. What arrived is compared with what was sent. Controls are found by their role and
name, as a screen reader finds them. Pictures of the end, or of what went wrong, are in target/window.
"""

import hashlib
import json
import os
import random
import re
import sys
import tempfile
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import network  # noqa: E402
from desktop import ROOT, Desktop, Failed, Window, words  # noqa: E402

CODE = re.compile(r"^\d{3}\s\d{3}$")
PICTURES = os.path.join(ROOT, "target", "window")
HEIGHT, WIDTH, FRAME = 1000, 1200, 40
PORT = 9000


def main():
    program = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else os.path.join(ROOT, "target", "debug", "ropeway")
    hosts = network.joined()
    if hosts is None:
        if os.environ.get("ROPEWAY_SKIP_NOTHING"):
            sys.exit("this needs the right to make network namespaces")
        print("skipped: this needs the right to make network namespaces")
        return
    os.makedirs(PICTURES, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="ropeway-drive-") as folder:
        desktop = Desktop(2 * WIDTH, HEIGHT + FRAME, folder)
        windows = []

        def window(name, sources):
            home = os.path.join(folder, name)
            os.makedirs(f"{home}/data", exist_ok=True)
            with open(f"{home}/data/settings.json", "w") as file:
                settings = {"version": 1, "name": name, "save_folder": f"{home}/inbox", "port": PORT, "language": "english"}
                json.dump(settings, file)
            command = [program, "--data-dir", f"{home}/data", *sources]
            at = (len(windows) * WIDTH, FRAME, WIDTH, HEIGHT)
            shown = Window(desktop, command, at, home, hosts[len(windows)], {"ROPEWAY_PRESENCE": "visible"})
            windows.append(shown)
            return shown

        try:
            job(folder, window)
            desktop.screen.picture().save(f"{PICTURES}/end.png")
        except BaseException:
            desktop.screen.picture().save(f"{PICTURES}/failed.png")
            for shown in windows:
                print(f"--- {shown.name} shows:\n{shown.tree()}", file=sys.stderr)
                with open(f"{folder}/{shown.name}/stderr", errors="replace") as said:
                    print(f"--- {shown.name} said:\n{said.read()}", file=sys.stderr)
            traceback.print_exc()
            sys.exit(f"failed; the picture is {PICTURES}/failed.png")
        finally:
            for shown in windows:
                shown.process.end()
            desktop.end()


def job(folder, window):
    begun = time.monotonic()

    def did(what):
        print(f"{time.monotonic() - begun:5.1f} s  {what}", flush=True)

    photos, letter, answers = sources(folder)
    study = window("Study PC", [answers])
    garden = window("Garden laptop", [photos, letter])
    did("two windows")

    study.click(words("receive_switch"))
    code = study.wait(CODE).name
    did("Receive is on and shows a code")

    garden.type(words("address_label"), network.ADDRESSES[0])
    garden.type(words("code_label"), code)
    garden.click(words("remember_this"))
    garden.keys("ctrl+Return")
    did("address and code are typed, sent")

    study.wait(words("accept"), enabled=True)
    study.click(words("remember_this"))
    study.click(words("accept"))
    study.wait(re.compile(re.escape(words("badge_received"))))
    garden.wait(re.compile(re.escape(words("badge_sent"))))
    same(photos, f"{folder}/Study PC/inbox/{os.path.basename(photos)}")
    same(letter, f"{folder}/Study PC/inbox/{os.path.basename(letter)}")
    did("accepted, arrived, the same byte for byte")

    garden.click(words("receive_switch"))
    study.click("Garden laptop", ("radio button",))
    study.until(lambda: study.find("Garden laptop", ("radio button",)).checked, "the card to be chosen")
    study.keys("ctrl+Return")
    garden.click(words("accept"))
    garden.wait(re.compile(re.escape(words("badge_received"))))
    study.wait(re.compile(re.escape(words("badge_sent"))))
    same(answers, f"{folder}/Garden laptop/inbox/{os.path.basename(answers)}")
    did("back to the remembered device, found by itself, without a code")

    for one, other in ((garden, study), (study, garden)):
        one.keys("ctrl+shift+m")
        one.click(re.compile(other.name), done=lambda one=one: one.find(words("talks_field")))
    garden.type(words("talks_field"), "It is all here, thank you.")
    garden.keys("Return")
    study.wait("It is all here, thank you.")
    garden.wait(words("delivery_delivered"))
    did("a message was said and delivered")


def sources(folder):
    """A folder with folders, empty files and names that are not plain; a letter; an answer."""
    noise = random.Random(7)
    photos = f"{folder}/Holiday 2026"
    for number in range(40):
        path = f"{photos}/day {number % 4}/照片 {number}.jpg"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(noise.randbytes(0 if number == 3 else 50_000 + number))
    os.makedirs(f"{photos}/empty folder")
    letter, answers = f"{folder}/letter.txt", f"{folder}/answers.bin"
    for path, size in ((letter, 4_000), (answers, 8_000_000)):
        with open(path, "wb") as file:
            file.write(noise.randbytes(size))
    return photos, letter, answers


def same(one, other):
    if tree(one) != tree(other):
        raise Failed(f"{other} is not what {one} is: {sorted(tree(one))} {sorted(tree(other))}")


def tree(path):
    """Every path below it with the hash of what it holds."""
    if os.path.isfile(path):
        return {("", _hash(path))}
    found = set()
    for at, folders, files in os.walk(path):
        found |= {(os.path.relpath(os.path.join(at, name), path), None) for name in folders}
        found |= {(os.path.relpath(os.path.join(at, name), path), _hash(os.path.join(at, name))) for name in files}
    return found


def _hash(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    main()
