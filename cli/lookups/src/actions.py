

def escalate(wanted, connection, context, variables):
    """Lets the plugin's modules run as another user, by Ansible's own means."""
    for option in ("user", "password", "flags", "exe"):
        if option in wanted:
            variables["ansible_become_" + option] = wanted[option]
    become = plugins.become_loader.get(wanted["method"])
    become.set_options(var_options=variables)
    connection.set_become_plugin(become)
    context.become = True
    context.become_method = wanted["method"]
    context.become_user = wanted["user"]


# Action plugins: the part of a module that runs on the controller. What they do on the host they do through Ansible's own
# connection to it.
def act(question):
    from ansible.errors import AnsibleAction, AnsibleActionSkip, AnsibleConnectionFailure
    from ansible.playbook.play_context import PlayContext
    from ansible.playbook.task import Task

    variables = dict(question["variables"])
    if not variables.get("ansible_python_interpreter"):
        usual = "/usr/bin/python3"
        variables["ansible_python_interpreter"] = usual if os.path.exists(usual) else sys.executable
    task = Task()
    task.action = question["name"]
    task.name = question["task"]
    task.args = question["args"]
    task.check_mode = question["check"]
    task.diff = question["diff"]
    task.no_log = question["no_log"]
    task.environment = [question["environment"]]
    task.async_val = 0
    context = PlayContext()
    kind = question.get("connection") or "local"
    context.connection = kind
    context.remote_addr = variables.get("ansible_host") or question["host"]
    context.remote_user = variables.get("ansible_user")
    context.check_mode = question["check"]
    context.diff = question["diff"]
    context.verbosity = question["verbosity"]
    variables.setdefault("inventory_hostname", question["host"])
    variables.setdefault("ansible_host", question["host"])
    connection = plugins.connection_loader.get(kind, context)
    if connection is None:
        raise Exception("Ansible has no connection '%s'" % kind)
    connection.set_options(var_options=variables)
    connection._shell.set_options(var_options=variables)
    if question.get("become"):
        escalate(question["become"], connection, context, variables)
        connection.become.set_options(var_options=variables)
    variables["ansible_search_path"] = question["folders"]
    templar = Templar(loader=reader, variables=variables)
    action = plugins.action_loader.get(question["name"], task=task, connection=connection, play_context=context,
                                       loader=reader, templar=templar, shared_loader_obj=plugins)
    if action is None:
        return {"missing": True}
    try:
        result = action.run(task_vars=variables)
    except Exception as error:
        own = isinstance(error, AnsibleAction)
        result = dict(getattr(error, "result", None) or {})
        told = "Task failed: " + str(error)
        result.setdefault("msg", str(error) if own else told)
        if isinstance(error, AnsibleActionSkip):
            result["skipped"] = True
        elif isinstance(error, AnsibleConnectionFailure):
            result["unreachable"] = True
        else:
            result["failed"] = True
            result["_ansible_told"] = told
    finally:
        action.cleanup()
        connection.close()
    # A traceback is shown by nobody.
    result.pop("exception", None)
    if result.get("failed") and result.get("msg") and "invocation" not in result:
        result.setdefault("_ansible_told", "Task failed: Action failed: %s" % result["msg"])
    return {"value": plain(result)}


OPERATIONS["action"] = act
