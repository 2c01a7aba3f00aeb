"""What is sent, and whether it arrived."""

import os
import pathlib
import random
import shutil

BLOCK = 1 << 20
MIXED_FILES = 1_000


class Differs(Exception):
    """What arrived is not what was sent."""


def big(path, size, seed=0):
    """A file of which no megabyte repeats another one: as good as random, and quick to make."""
    block = bytearray(random.Random(seed).randbytes(BLOCK))
    with open(path, "wb") as file:
        for number in range(-(-size // BLOCK)):
            block[:8] = number.to_bytes(8, "big")
            file.write(block[:size - number * BLOCK])
    return path


def tree(path, count, size, *, in_folder=100, folders_in_folder=10):
    """`count` files of `size` bytes, a hundred to a folder, ten folders to a folder above."""
    noise = random.Random(1).randbytes(size)
    for start in range(0, count, in_folder):
        number = start // in_folder
        folder = f"{path}/part {number // folders_in_folder:03}/folder {number:04}"
        os.makedirs(folder)
        for file_number in range(start, min(start + in_folder, count)):
            with open(f"{folder}/file {file_number:07}.dat", "wb", buffering=0) as file:
                if size:
                    file.write(file_number.to_bytes(8, "big") + noise[8:])
    return path


def mixed(path, total):
    """A thousand files from some hundred bytes to some dozen megabytes, `total` bytes in all."""
    chance = random.Random(2)
    weights = [chance.lognormvariate(0, 2) for _ in range(MIXED_FILES)]
    for number, weight in enumerate(weights):
        folder = f"{path}/{'photos letters music'.split()[number % 3]}/{number // 50:02}"
        os.makedirs(folder, exist_ok=True)
        big(f"{folder}/item {number:04}", int(total * weight / sum(weights)), number)
    return path


def same_file(one, other):
    with open(one, "rb", buffering=0) as a, open(other, "rb", buffering=0) as b:
        while True:
            here, there = a.read(BLOCK), b.read(BLOCK)
            if here != there:
                raise Differs(f"{other} differs")
            if not here:
                return


def same(one, other):
    """Compares two files or two folders: names, sizes, every byte."""
    if not os.path.isdir(one):
        return same_file(one, other)
    here, there = _by_name(one), _by_name(other)
    there.pop(".ropeway", None)
    if here.keys() != there.keys():
        raise Differs(f"{other} has other names")
    for name, entry in here.items():
        if entry.is_dir() != there[name].is_dir():
            raise Differs(f"{there[name].path} is of another kind")
        if entry.is_dir():
            same(entry.path, there[name].path)
        elif entry.stat().st_size != there[name].stat().st_size:
            raise Differs(f"{there[name].path} has another size")
        elif entry.stat().st_size:
            same_file(entry.path, there[name].path)


def _by_name(folder):
    with os.scandir(folder) as entries:
        return {entry.name: entry for entry in entries}


def size_of(path):
    path = pathlib.Path(path)
    if not path.is_dir():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def remove(path):
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.remove(path)
