"""Makes the inputs of the benchmarks: plans and trees, the same ones at every call."""

import json
import os
import random


def in_child(make):
    """Runs a maker of inputs in a process of its own: the peak memory of this process is counted as that of every
    program that it starts later."""

    def run(*args, **kwargs):
        child = os.fork()
        if child == 0:
            try:
                make(*args, **kwargs)
                os._exit(0)
            finally:
                os._exit(1)
        if os.waitpid(child, 0)[1] != 0:
            raise SystemExit(f"bench: {make.__name__} failed")
        return args[0]

    return run


def words(rng, size):
    """Text that compresses about as well as configuration files do."""
    vocabulary = [
        "".join(rng.choice("abcdefghijklmnopqrstuvwxyz_") for _ in range(rng.randint(3, 10)))
        for _ in range(2000)
    ]
    parts, length = [], 0
    while length < size:
        line = " ".join(rng.choice(vocabulary) for _ in range(9)) + f" = {rng.randint(0, 99999)}\n"
        parts.append(line)
        length += len(line)
    return "".join(parts)[:size]


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(data if isinstance(data, bytes) else data.encode())


def task(number, root):
    """One of five kinds of trivial tasks."""
    kind = number % 5
    name = f"task {number}"
    if kind == 0:
        return {"name": name, "module": "file", "args": {"path": f"{root}/d{number}", "state": "directory", "mode": "0755"}}
    if kind == 1:
        return {"name": name, "module": "copy", "args": {"content": f"value {number}\n", "dest": f"{root}/c{number}", "mode": "0644"}}
    if kind == 2:
        return {
            "name": name,
            "module": "template",
            "args": {"src": "t.j2", "dest": f"{root}/t{number}"},
            "vars": {"number": number},
        }
    if kind == 3:
        return {
            "name": name,
            "module": "lineinfile",
            "args": {"path": f"{root}/c{number - 2}", "line": f"line = {number}", "create": True},
        }
    return {"name": name, "module": "file", "args": {"path": f"{root}/d{number - 4}/x", "state": "touch"}}


@in_child
def _plan_of_tasks(folder, count, root, assets_bytes=0, asset_count=100):
    """A plan of `count` trivial tasks, with `assets_bytes` of files that it copies."""
    rng = random.Random(count)
    tasks = [task(n, root) for n in range(count)]
    write(f"{folder}/t.j2", "number = {{ number }}\n{% for i in range(3) %}item {{ i }}\n{% endfor %}")
    if assets_bytes:
        for n in range(asset_count):
            write(f"{folder}/assets/a{n}.conf", words(rng, assets_bytes // asset_count))
        tasks[-1] = {"name": "the assets", "module": "copy", "args": {"src": "assets/", "dest": f"{root}/assets/"}}
    plan = {"version": 1, "plays": [{"name": "bench", "batches": [{"tasks": tasks}]}]}
    write(f"{folder}/plan.json", json.dumps(plan))


def plan_of_tasks(folder, count, root, assets_bytes=0, asset_count=100):
    """Gives the path of a plan of `count` trivial tasks, with `assets_bytes` of files that it copies."""
    _plan_of_tasks(folder, count, root, assets_bytes, asset_count)
    return f"{folder}/plan.json"


def plan_of_tree(folder, tree, dest):
    """A plan with one task that copies a tree."""
    plan = {
        "version": 1,
        "assets": [{"name": "tree", "source": tree}],
        "plays": [
            {
                "name": "tree",
                "batches": [{"tasks": [{"name": "copy", "module": "copy", "args": {"src": "tree/", "dest": dest}}]}],
            }
        ],
    }
    write(f"{folder}/plan.json", json.dumps(plan))
    return f"{folder}/plan.json"


@in_child
def mixed_tree(folder, size, seed=1):
    """A tree of `size` bytes: many small texts, some large ones, a third that does not compress."""
    rng = random.Random(seed)
    text = words(rng, 4 << 20)
    made, n = 0, 0
    while made < size:
        kind = n % 10
        if kind < 7:
            length, at = rng.randint(500, 40_000), rng.randint(0, 3 << 20)
            data = text[at : at + length].encode()
        elif kind < 9:
            data = rng.randbytes(rng.randint(10_000, 400_000))
        else:
            at = rng.randint(0, 1 << 20)
            data = text[at : at + rng.randint(500_000, 3_000_000)].encode() + str(n).encode()
        data = data[: size - made]
        write(f"{folder}/{n % 97}/{n}.dat", data)
        made += len(data)
        n += 1
