"""Makes the playbooks, templates and inventories that `scripts/bench/language` measures."""

import os


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as out:
        out.write(text)
    return path


def roles(folder, count, tasks):
    """A playbook of `count` roles with `tasks` tasks each, as people write them: variables, conditions, loops, handlers,
    templates, tags. Gives the playbook's path. Runs below {{ top }}."""
    for r in range(count):
        role = f"{folder}/roles/role{r}"
        body = []
        for t in range(tasks):
            kind = t % 6
            head = f"- name: role {r} does {t}\n"
            if kind == 0:
                body.append(f"{head}  file: {{path: '{{{{ top }}}}/r{r}/d{t}', state: directory, mode: '0755'}}\n")
            elif kind == 1:
                body.append(
                    f"{head}  copy:\n    dest: '{{{{ top }}}}/r{r}/d0/c{t}'\n    content: |\n      {{{{ role{r}_name }}}}\n"
                    f"      {{{{ role{r}_list | join(',') }}}}\n  when: role{r}_on | bool\n  notify: told {r}\n"
                )
            elif kind == 2:
                body.append(f"{head}  template: {{src: conf.j2, dest: '{{{{ top }}}}/r{r}/d0/t{t}', mode: '0644'}}\n  tags: [conf]\n")
            elif kind == 3:
                body.append(
                    f"{head}  lineinfile: {{path: '{{{{ top }}}}/r{r}/d0/c1', regexp: '^k{t}=', line: 'k{t}={{{{ item }}}}'}}\n"
                    f"  loop: ['{{{{ role{r}_name }}}}']\n"
                )
            elif kind == 4:
                body.append(f"{head}  set_fact: {{role{r}_fact{t}: \"{{{{ role{r}_list | length + {t} }}}}\"}}\n")
            else:
                body.append(f"{head}  stat: {{path: '{{{{ top }}}}/r{r}/d0'}}\n  register: role{r}_seen\n")
        write(f"{role}/tasks/main.yml", "".join(body))
        write(f"{role}/handlers/main.yml", f"- name: told {r}\n  debug: {{msg: told}}\n")
        write(f"{role}/defaults/main.yml", f"role{r}_name: name{r}\nrole{r}_on: yes\nrole{r}_list: [a, b, '{{{{ role{r}_name }}}}']\n")
        write(
            f"{role}/templates/conf.j2",
            f"# {{{{ ansible_managed }}}}\n{{% for x in role{r}_list %}}\nvalue.{{{{ loop.index }}}} = {{{{ x | upper }}}}\n{{% endfor %}}\n",
        )
    uses = "".join(f"    - role{r}\n" for r in range(count))
    return write(
        f"{folder}/site.yml",
        f"- hosts: localhost\n  connection: local\n  gather_facts: false\n  vars: {{top: '{folder}/made'}}\n  roles:\n{uses}",
    )


def big_template(folder, rows):
    """A playbook that renders one template of `rows` rows from a list of records, and one that renders nothing."""
    write(
        f"{folder}/big.j2",
        "{% for i in range(" + str(rows) + ") %}\n"
        "{% set name = 'host' ~ i %}\n"
        "{{ name | upper }} {{ '%05d' | format(i) }} {{ records[i % 10].roles | join(',') }} "
        "{% if i is divisibleby 3 %}{{ records[i % 10] | combine({'i': i}) | to_json }}{% else %}{{ name | replace('o', '0') }}{% endif %}\n\n"
        "{% endfor %}\n",
    )
    records = "".join(f"      - {{name: r{i}, roles: [a{i}, b{i}, c], port: {8000 + i}}}\n" for i in range(10))
    head = "- hosts: localhost\n  connection: local\n  gather_facts: false\n  vars:\n    records:\n" + records + "  tasks:\n"
    task = f"    - template: {{src: {folder}/big.j2, dest: {folder}/out}}\n"
    nothing = f"    - template: {{src: {folder}/small.j2, dest: {folder}/out2}}\n"
    write(f"{folder}/small.j2", "{{ records | length }}\n")
    return write(f"{folder}/big.yml", head + task), write(f"{folder}/small.yml", head + nothing)


def inventory(folder, hosts):
    """An inventory of so many hosts in groups of groups, with group_vars and host variables."""
    lines = []
    per = 100
    groups = hosts // per
    for g in range(groups):
        lines.append(f"[group{g}]\n")
        lines.extend(f"host{g * per + h}.example.com ansible_host=10.{g // 200}.{g % 200}.{h + 1} rack={h % 7}\n" for h in range(per))
    for s in range(10):
        lines.append(f"[site{s}:children]\n" + "".join(f"group{g}\n" for g in range(s, groups, 10)))
        lines.append(f"[site{s}:vars]\nsite_name=site{s}\n")
    write(f"{folder}/hosts", "".join(lines))
    write(f"{folder}/group_vars/all.yml", "domain: example.com\nports: [80, 443]\nusers:\n  - {name: a, id: 1}\n  - {name: b, id: 2}\n")
    for g in range(groups):
        write(f"{folder}/group_vars/group{g}.yml", f"cluster: c{g}\nsettings: {{workers: {g + 1}, name: '{{{{ inventory_hostname }}}}'}}\n")
    write(
        f"{folder}/play.yml",
        "- hosts: all\n  gather_facts: false\n  tasks:\n"
        "    - copy: {content: '{{ site_name }} {{ cluster }} {{ rack }}', dest: /tmp/never}\n"
        "    - debug: {msg: '{{ settings.name }}'}\n",
    )
    return f"{folder}/hosts"
