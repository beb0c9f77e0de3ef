//! `vars_files` whose names depend on the host: which files they mean is looked at before each task.

use rustle_formats::Map;
use rustle_formats::plan::{ExecutionPlan, PlayPlan, VarsChoice};

use super::{PlayVars, Store, TaskScope, TaskVars, Templar, Templates};
use crate::args::text;
use crate::engine::clean;

/// Chooses the files of a play for this host as things stand.
///
/// # Errors
/// Where a name needs a variable that is not there although facts were gathered: what Ansible ends the run with.
pub(crate) fn choose<'r>(
    store: &Store<'r>,
    templates: &Templates<'r>,
    vars: &PlayVars<'r>,
    play: &'r PlayPlan,
) -> Result<(), String> {
    // The names know nothing of what the run has set so far.
    let fresh = store.fresh.take();
    let included = store.included.take();
    let mut done = Ok(());
    for choice in play.vars_choices.iter().filter_map(VarsChoice::of) {
        store.begin_play();
        let scope = TaskScope {
            store,
            templates,
            play: vars,
            frame: None,
        };
        let found = found(&Templar::new(templates, &TaskVars::new(scope)), choice);
        match found {
            Ok(found) => {
                let mut chosen = vars.chosen.borrow_mut();
                let length = chosen.len().max(choice.place + 1);
                chosen.resize(length, None);
                chosen[choice.place] = found;
            }
            Err(why) if store.facts.borrow().contains_key("module_setup") => {
                done = Err(format!(
                    "an undefined variable was found when attempting to template the vars_files item '{}': {why}",
                    crate::report::python_str(choice.names)
                ));
                break;
            }
            Err(_) => {}
        }
    }
    *store.fresh.borrow_mut() = fresh;
    *store.included.borrow_mut() = included;
    store.begin_play();
    done
}

/// The file that counts; an error where a name cannot be known.
fn found<'r>(templar: &Templar<'_, 'r>, choice: VarsChoice<'r>) -> Result<Option<&'r Map>, String> {
    let one = std::slice::from_ref(choice.names);
    for name in choice.names.as_list().unwrap_or(one) {
        let name = templar.value(name).map_err(|e| e.message)?;
        let name = name.as_ref().map(text).unwrap_or_default();
        let plan = templar.vars().store().plan;
        if let Some(file) = file(plan, choice, &name) {
            return Ok(Some(file));
        }
    }
    Ok(None)
}

fn file<'r>(plan: &ExecutionPlan, choice: VarsChoice<'r>, name: &str) -> Option<&'r Map> {
    if name.starts_with('/') {
        let path = clean(name);
        let base = plan.base_dir.as_deref().map(|b| b.trim_end_matches('/'));
        let below = base.and_then(|b| path.strip_prefix(b)?.strip_prefix('/'));
        return choice.files.get(below.unwrap_or(&path))?.as_map();
    }
    // The plan's own folder has no name.
    let folder = match choice.folder {
        "" => ".",
        folder => folder,
    };
    let places = [format!("{folder}/vars/{name}"), format!("{folder}/{name}")];
    places
        .iter()
        .find_map(|place| choice.files.get(clean(place).as_str())?.as_map())
}
