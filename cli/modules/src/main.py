"""Runs one module of this archive: PYTHON ARCHIVE MODULE, its arguments as JSON on standard input.

The archive is unpacked once beside itself, so that what modules import is compiled once."""
import json
import os
import sys


def broken(message):
    print(json.dumps({"failed": True, "msg": message}))
    sys.exit(1)


def unpacked(archive):
    tree = archive + ".d"
    if not os.path.isdir(tree):
        import shutil
        import zipfile
        own = "%s.%d" % (tree, os.getpid())
        with zipfile.ZipFile(archive) as files:
            files.extractall(own)
        try:
            os.rename(own, tree)
        except OSError:
            # Another one was first.
            shutil.rmtree(own, ignore_errors=True)
    return tree


def main():
    archive, module = os.path.abspath(sys.argv[0]), sys.argv[1]
    if sys.version_info < (3, 8):
        broken("the module '%s' needs Python 3.8, and %s is %s"
               % (module.rpartition(".")[2], sys.executable, sys.version.split()[0]))
    given = sys.stdin.buffer.read()
    tree = unpacked(archive)
    sys.path[0] = tree
    sys.dont_write_bytecode = False
    del sys.argv[1:]
    import runpy
    try:
        from ansible.module_utils import basic
        basic._ANSIBLE_ARGS = given
        basic._ANSIBLE_PROFILE = "legacy"
        runpy.run_module(module, {"_module_fqn": module, "_modlib_path": tree}, "__main__", True)
    except Exception as error:
        if json.loads(given.decode("utf-8"))["ANSIBLE_MODULE_ARGS"].get("_ansible_verbosity", 0) > 2:
            import traceback
            traceback.print_exc()
        broken("Task failed: Module failed: %s" % (str(error) or type(error).__name__))


main()
