

# Action plugins: the part of a module that runs on the controller. They work on this machine, through Ansible's own
# local connection.
def act(question):
    from ansible.errors import AnsibleError
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
    context.connection = "local"
    context.check_mode = question["check"]
    context.diff = question["diff"]
    context.verbosity = question["verbosity"]
    connection = plugins.connection_loader.get("local", context)
    connection.set_options(var_options=variables)
    connection._shell.set_options(var_options=variables)
    variables["ansible_search_path"] = question["folders"]
    templar = Templar(loader=reader, variables=variables)
    action = plugins.action_loader.get(question["name"], task=task, connection=connection, play_context=context,
                                       loader=reader, templar=templar, shared_loader_obj=plugins)
    if action is None:
        return {"missing": True}
    try:
        result = action.run(task_vars=variables)
    except AnsibleError as error:
        result = dict(getattr(error, "result", None) or {})
        result.setdefault("msg", str(error))
        if type(error).__name__ == "AnsibleActionSkip":
            result["skipped"] = True
        else:
            result["failed"] = True
    finally:
        action.cleanup()
    return {"value": plain(result)}


OPERATIONS["action"] = act
