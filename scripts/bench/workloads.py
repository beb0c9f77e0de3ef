"""Makes what `scripts/bench/peers` runs: playbooks, their files, the same work for pyinfra and as a shell script.

Each workload is a folder with `site.yml`; all of it happens on the hosts below TOP.
"""

import json
import os
import random
import sys

from playbooks import write

TOP = "/opt/bench"


def _random_file(path, size, seed):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as out:
        out.write(random.Random(seed).randbytes(size))


def mixed_steps():
    """The steps of `mixed`: kind and number, in order. 100 of them."""
    counts = {"folder": 10, "content": 20, "file": 20, "template": 20, "line": 15, "command": 15}
    return [(kind, i) for kind, count in counts.items() for i in range(count)]


def _step(folder, kind, i):
    """A task, and the same as lines of a shell script."""
    to = f"{TOP}/d{i % 10}"
    if kind == "folder":
        return {"file": {"path": f"{TOP}/d{i}", "state": "directory", "mode": "0755"}}, f"mkdir -p -m 755 {TOP}/d{i}"
    if kind == "content":
        text = "".join(f"key{n} = {i}.{n}\n" for n in range(12))
        return {"copy": {"content": text, "dest": f"{to}/content{i}", "mode": "0644"}}, f"cat > {to}/content{i} <<'E'\n{text}E"
    if kind == "file":
        text = "".join(f"line {n} of file {i}: {'x' * 40}\n" for n in range(20))
        write(f"{folder}/files/file{i}", text)
        return (
            {"copy": {"src": f"file{i}", "dest": f"{to}/file{i}", "mode": "0640"}},
            f"cat > {to}/file{i} <<'E'\n{text}E\nchmod 640 {to}/file{i}",
        )
    if kind == "template":
        text = f"# number {i}\nname = host{i}\n" + "".join(f"listen {p}\n" for p in (80, 443, 8080))
        return (
            {"template": {"src": "conf.j2", "dest": f"{to}/conf{i}", "mode": "0644"}, "vars": {"number": i}},
            f"cat > {to}/conf{i} <<'E'\n{text}E",
        )
    if kind == "line":
        return (
            {"lineinfile": {"path": f"{TOP}/main.conf", "regexp": f"^option{i}=", "line": f"option{i}=value{i}", "create": True}},
            f"grep -qs '^option{i}=' {TOP}/main.conf && sed -i 's/^option{i}=.*/option{i}=value{i}/' {TOP}/main.conf"
            f" || echo option{i}=value{i} >> {TOP}/main.conf",
        )
    return (
        {"command": {"cmd": f"cp {TOP}/d0/content0 {TOP}/out{i}", "creates": f"{TOP}/out{i}"}},
        f"test -e {TOP}/out{i} || cp {TOP}/d0/content0 {TOP}/out{i}",
    )


def mixed(folder):
    """100 tasks of six kinds, without facts; also as a shell script and for pyinfra."""
    template = "# number {{ number }}\nname = host{{ number }}\n{% for port in ports %}\nlisten {{ port }}\n{% endfor %}\n"
    write(f"{folder}/templates/conf.j2", template)
    tasks, script = [{"name": "top", "file": {"path": TOP, "state": "directory"}}], [f"set -e; mkdir -p {TOP}"]
    for kind, i in mixed_steps():
        task, lines = _step(folder, kind, i)
        tasks.append({"name": f"{kind} {i}", **task})
        script.append(lines)
    write(f"{folder}/script.sh", "\n".join(script) + "\n")
    _pyinfra(folder)
    return _site(folder, [{"hosts": "all", "gather_facts": False, "vars": {"ports": [80, 443, 8080]}, "tasks": tasks}])


def _pyinfra(folder):
    write(
        f"{folder}/deploy.py",
        f'''"""The steps of `mixed` for pyinfra."""
import sys
from io import StringIO

sys.path.insert(0, {os.path.dirname(os.path.abspath(__file__))!r})
from pyinfra import host
from pyinfra.operations import files, server
from workloads import TOP, mixed_steps

files.directory(path=TOP)
for kind, i in host.loop(mixed_steps()):
    to = f"{{TOP}}/d{{i % 10}}"
    if kind == "folder":
        files.directory(path=f"{{TOP}}/d{{i}}", mode="755")
    elif kind == "content":
        files.put(src=StringIO("".join(f"key{{n}} = {{i}}.{{n}}\\n" for n in range(12))), dest=f"{{to}}/content{{i}}", mode="644")
    elif kind == "file":
        files.put(src=f"{folder}/files/file{{i}}", dest=f"{{to}}/file{{i}}", mode="640")
    elif kind == "template":
        files.template(src="{folder}/templates/conf.j2", dest=f"{{to}}/conf{{i}}", mode="644",
                       jinja_env_kwargs={{"trim_blocks": True}}, number=i, ports=[80, 443, 8080])
    elif kind == "line":
        files.line(path=f"{{TOP}}/main.conf", line=f"^option{{i}}=.*$", replace=f"option{{i}}=value{{i}}")
    else:
        server.shell(commands=f"test -e {{TOP}}/out{{i}} || cp {{TOP}}/d0/content0 {{TOP}}/out{{i}}")
''',
    )


def roles(folder):
    """Two roles with facts, loops, users, conditions, includes and handlers: about 150 results."""
    for name in ("base", "web"):
        role = f"{folder}/roles/{name}"
        write(f"{role}/handlers/main.yml", f"- name: restart {name}\n  command: touch {TOP}/{name}.restarted\n- name: reload {name}\n  command: touch {TOP}/{name}.reloaded\n")
        for i in range(10):
            _random_file(f"{role}/files/blob{i}", 10_000 * (i + 1), f"{name}{i}")
        write(
            f"{role}/templates/site.j2",
            "# {{ item.name }} on {{ ansible_facts.hostname }} ({{ ansible_facts.kernel }})\n"
            "{% for key, value in item.options | dictsort %}\n{{ key }} = {{ value | to_json }}\n{% endfor %}\n"
            "cpus = {{ ansible_facts.processor_vcpus }}\n",
        )
        write(f"{role}/tasks/look.yml", f"- stat: {{path: {TOP}/{name}}}\n  register: seen\n- set_fact: {{{name}_there: '{{{{ seen.stat.exists }}}}'}}\n")
        sites = [{"name": f"{name}{i}", "options": {f"k{n}": [i, n, f"v{n}"] for n in range(8)}} for i in range(15)]
        write(f"{role}/vars/main.yml", json.dumps({"sites": sites, "accounts": [f"{name}{i}" for i in range(4)]}))
        write(
            f"{role}/tasks/main.yml",
            f"""- file: {{path: "{TOP}/{name}/{{{{ item }}}}", state: directory, mode: "0750"}}
  loop: "{{{{ range(12) | map('regex_replace', '^', 'd') | list }}}}"
- group: {{name: "{{{{ item }}}}"}}
  loop: [{name}-a, {name}-b]
- user: {{name: "{{{{ item }}}}", group: {name}-a, home: "{TOP}/home/{{{{ item }}}}", shell: /bin/sh}}
  loop: "{{{{ accounts }}}}"
- template: {{src: site.j2, dest: "{TOP}/{name}/{{{{ item.name }}}}.conf", mode: "0644"}}
  loop: "{{{{ sites }}}}"
  loop_control: {{label: "{{{{ item.name }}}}"}}
  notify: restart {name}
- copy: {{src: "blob{{{{ item }}}}", dest: "{TOP}/{name}/blob{{{{ item }}}}", mode: "0600"}}
  loop: "{{{{ range(10) | list }}}}"
  notify: reload {name}
- file: {{src: "{TOP}/{name}/d0", dest: "{TOP}/{name}/current", state: link}}
- lineinfile: {{path: "{TOP}/{name}/limits.conf", line: "{{{{ item }}}} = {{{{ ansible_facts.processor_vcpus }}}}", create: true}}
  loop: [workers, threads, queues]
- blockinfile:
    path: {TOP}/{name}/limits.conf
    block: |
      {{% for site in sites[:4] %}}
      include {{{{ site.name }}}}
      {{% endfor %}}
- include_tasks: look.yml
- command: "true"
  when: not {name}_there
- copy: {{content: "{{{{ ansible_facts.os_family }}}}", dest: "{TOP}/{name}/family"}}
  when: ansible_facts.os_family is defined
""",
        )
    tops = [{"file": {"path": path, "state": "directory"}} for path in (TOP, f"{TOP}/home")]
    return _site(folder, [{"hosts": "all", "pre_tasks": tops, "roles": ["base", "web"]}])


def tree(folder):
    """1,000 files of 1 to 20 KB, and one of 50 MB."""
    for i in range(1000):
        _random_file(f"{folder}/files/tree/{i % 20}/{i}", 1000 + i * 19, i)
    _random_file(f"{folder}/files/big", 50_000_000, "big")
    tasks = [
        {"name": "top", "file": {"path": TOP, "state": "directory"}},
        {"name": "tree", "copy": {"src": "tree/", "dest": f"{TOP}/tree/"}},
        {"name": "big", "copy": {"src": "big", "dest": f"{TOP}/big", "mode": "0644"}},
    ]
    return _site(folder, [{"hosts": "all", "gather_facts": False, "tasks": tasks}])


def _site(folder, plays):
    # JSON is YAML, and nothing has to be quoted by hand.
    return write(f"{folder}/site.yml", json.dumps(plays, indent=1) + "\n")


if __name__ == "__main__":
    # In a process of its own: what is measured later is said to need at least the memory of who starts it.
    name, folder = sys.argv[1:]
    print({"mixed": mixed, "roles": roles, "tree": tree}[name](folder))
