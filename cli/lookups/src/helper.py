"""Runs Ansible's own plugins for Rustle: one JSON document a line, questions on standard input, answers on what was
standard output. What plugins print goes to standard error."""
import datetime
import json
import os
import sys
import warnings

warnings.simplefilter("ignore")
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
os.environ.setdefault("ANSIBLE_DEPRECATION_WARNINGS", "0")

from ansible.parsing.dataloader import DataLoader
from ansible.plugins import loader as plugins
from ansible.template import Templar

LOADERS = {"filter": plugins.filter_loader, "test": plugins.test_loader, "lookup": plugins.lookup_loader}
reader = DataLoader()


def plain(value):
    """Data as JSON has it."""
    if value is None or isinstance(value, bool):
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, (datetime.date, datetime.datetime)):
        return str(value)
    if hasattr(value, "items"):
        return {plain(key): plain(item) for key, item in value.items()}
    if hasattr(value, "__iter__"):
        return [plain(item) for item in value]
    raise TypeError("a plugin returned a %s, which is no data" % type(value).__name__)


def find(kind, name):
    try:
        return LOADERS[kind].get(name) if kind != "lookup" else LOADERS[kind].find_plugin(name)
    except Exception:
        return None


def start(question):
    plugins.init_plugin_loader(question["collections"])
    for folder in question["folders"]:
        plugins.add_all_plugin_dirs(folder)
    if question["folders"]:
        reader.set_basedir(question["folders"][0])
    return {"value": True}


def apply(question):
    plugin = find(question["op"], question["name"])
    if plugin is None:
        return {"missing": True}
    function = getattr(plugin, "j2_function", plugin)
    return {"value": plain(function(question["input"], *question["args"], **question["options"]))}


def look_up(question):
    variables = question["variables"]
    lookup = plugins.lookup_loader.get(question["name"], loader=reader, templar=Templar(loader=reader, variables=variables))
    if lookup is None:
        return {"missing": True}
    found = lookup.run(question["args"], variables=variables, **question["options"])
    return {"value": plain(found if found is not None else [])}


OPERATIONS = {
    "start": start,
    "known": lambda question: {"value": find(question["kind"], question["name"]) is not None},
    "filter": apply,
    "test": apply,
    "lookup": look_up,
}
