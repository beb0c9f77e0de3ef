//! `vars_files`: what can be read now is read now. Where a name is a template of facts, or of what the inventory says of a
//! host, every file that may be meant comes into the plan, and each host chooses while it runs.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use rustle_formats::plan::{PlayPlan, VarsChoice};
use rustle_formats::{Map, Value};
use rustle_playbook::play::Site;
use rustle_playbook::yaml::{Mapping, Node};
use rustle_playbook::{Problem, Severity};
use rustle_template::Engine;

use crate::keywords::text;
use crate::lowering::Lowering;
use crate::wildcard::{fits, pattern};

/// How many folders deep files are looked for whose names depend on the run.
const DEPTH: usize = 3;

/// Folders that hold variables of hosts and groups.
const OF_INVENTORY: &[&str] = &["group_vars/", "host_vars/"];

/// What is known of an entry before the run.
enum Entry {
    /// The file that counts on every host; none: there is none.
    Known(Option<PathBuf>, Node),
    /// It depends on the host.
    Open,
}

impl Lowering<'_> {
    /// Puts the files of a play into its plan. `vars`: what their names may be templated with, the play's variables.
    pub(crate) fn variables_files(
        &mut self,
        out: &mut PlayPlan,
        files: &Node,
        mut vars: Vec<Arc<Mapping>>,
        site: &Site,
    ) {
        for entry in files.as_list().unwrap_or(std::slice::from_ref(files)) {
            match self.known_file(entry, &vars, site) {
                Entry::Known(None, _) => {}
                Entry::Known(Some(path), name) => {
                    match self.request.reader.variables_file(&path, &name) {
                        Ok(file) => {
                            // Names that follow may use what it says.
                            vars.extend(file.as_map().cloned().map(Arc::new));
                            let map = self.map(Some(&file));
                            out.vars_files.push(map);
                        }
                        Err(problem) => self.problems.push(problem),
                    }
                }
                Entry::Open => {
                    let names = self.value(entry);
                    let files = self.candidates(out, entry, &vars, site);
                    let choice = VarsChoice {
                        place: out.vars_files.len(),
                        names: &names,
                        folder: &self.name_of(&site.playbook_dir),
                        files: &files,
                    };
                    out.vars_choices.push(choice.to_map());
                    out.vars_files.push(Map::new());
                }
            }
        }
    }

    /// The file that an entry means, as far as it is the same for all hosts.
    fn known_file(&mut self, entry: &Node, vars: &[Arc<Mapping>], site: &Site) -> Entry {
        for node in entry.as_list().unwrap_or(std::slice::from_ref(entry)) {
            let Ok(name) = self.request.reader.rendered(node, site, vars) else {
                self.warnings.push(Problem {
                    severity: Severity::Warning,
                    ..Problem::error("skipping vars_files item due to an undefined variable")
                        .at(entry.at)
                });
                return Entry::Open;
            };
            if !self.of_hosts(node, vars).is_empty() {
                return Entry::Open;
            }
            if let Some(path) = self.variables_path(&name, site) {
                return Entry::Known(Some(path), node.clone());
            }
        }
        // Ansible goes on without it, and says nothing.
        Entry::Known(None, entry.clone())
    }

    /// The variables that a name mentions and hosts may have others for: `{{ env | default('x') }}.yml`.
    fn of_hosts(&self, node: &Node, vars: &[Arc<Mapping>]) -> Vec<Rc<str>> {
        let name = text(node);
        if pattern(&name).is_none() {
            return Vec::new();
        }
        let analysis = Engine::new().check_syntax(&name);
        let mut mentioned = analysis.map(|found| found.mentioned).unwrap_or_default();
        mentioned.retain(|name| {
            let own = vars.iter().any(|layer| layer.get(name).is_some());
            !own && !self.request.extra_vars.contains_key(&**name) && &**name != "playbook_dir"
        });
        mentioned
    }

    fn variables_path(&self, name: &str, site: &Site) -> Option<PathBuf> {
        let mut paths = folders(site).map(|folder| folder.join(Path::new(name)));
        paths.find(|path| self.request.reader.is_file(path))
    }

    /// The contents of all files that an entry may mean: of those that the inventory's variables name for a host of the play;
    /// where these are not enough, of those that fit what is written.
    fn candidates(
        &mut self,
        play: &PlayPlan,
        entry: &Node,
        vars: &[Arc<Mapping>],
        site: &Site,
    ) -> Map {
        let mut paths: Vec<PathBuf> = Vec::new();
        for node in entry.as_list().unwrap_or(std::slice::from_ref(entry)) {
            let by_hosts = self.named_by_hosts(play, node, vars, site);
            match by_hosts {
                Some(found) => paths.extend(found),
                None => paths.extend(self.fitting(node, site)),
            }
        }
        let mut out = Map::new();
        for path in paths {
            let name = self.name_of(&path);
            // A host that means one that is no file of variables, or cannot be opened, finds none.
            if !out.contains_key(&name)
                && let Ok(file) = self.request.reader.variables_file(&path, entry)
            {
                let map = self.map(Some(&file));
                out.insert(name, Value::Map(map));
            }
        }
        out
    }

    /// The files that a name means for the hosts of the play; none where the inventory does not tell.
    fn named_by_hosts(
        &self,
        play: &PlayPlan,
        node: &Node,
        vars: &[Arc<Mapping>],
        site: &Site,
    ) -> Option<Vec<PathBuf>> {
        let wanted = self.of_hosts(node, vars);
        let mut out = Vec::new();
        for host in &play.hosts {
            let known = self.request.inventory.hosts.get(host)?;
            let told = |name: &Rc<str>| {
                known.vars.contains_key(&**name) || &**name == "inventory_hostname"
            };
            if !wanted.iter().all(told) {
                return None;
            }
            let inventory = known.vars.iter().filter_map(|(name, value)| match value {
                Value::Str(text) | Value::Unsafe(text) => Some((name.as_str(), text.clone())),
                Value::Int(number) => Some((name.as_str(), number.to_string())),
                _ => None,
            });
            let own = [("inventory_hostname", host.clone())];
            let pairs = inventory.chain(own).map(|(name, text)| {
                let (name, text) = (Node::text(name, node.at), Node::text(text, node.at));
                (name, text)
            });
            let layer = Node::map(pairs.collect(), node.at);
            let mut layers: Vec<Arc<Mapping>> =
                layer.as_map().cloned().map(Arc::new).into_iter().collect();
            layers.extend(vars.iter().cloned());
            let name = self.request.reader.rendered(node, site, &layers).ok()?;
            out.extend(self.variables_path(&name, site));
        }
        Some(out)
    }

    /// The files below the folders of the playbook that fit a name whose templates stand for anything.
    fn fitting(&self, node: &Node, site: &Site) -> Vec<PathBuf> {
        let name = text(node);
        let Some(wanted) = pattern(&name) else {
            return self.variables_path(&name, site).into_iter().collect();
        };
        let wanted = wanted.trim_start_matches("./");
        let mut out = Vec::new();
        for folder in folders(site) {
            for path in self.request.reader.yaml_below(&folder, DEPTH) {
                let below = path.strip_prefix(&folder).unwrap_or(&path);
                let below = below.to_string_lossy();
                // What the inventory says of other hosts is read as such, and not to be carried along.
                if OF_INVENTORY
                    .iter()
                    .any(|f| below.starts_with(f) && !wanted.starts_with(f))
                {
                    continue;
                }
                // A name with a folder in front may lead anywhere: `{{ playbook_dir }}/vars/x.yml`.
                let whole = wanted.starts_with('*') && fits(wanted, &path.to_string_lossy());
                if fits(wanted, &below) || whole {
                    out.push(path);
                }
            }
        }
        out
    }
}

/// Where files of variables are looked for, in Ansible's order.
fn folders(site: &Site) -> impl Iterator<Item = PathBuf> + use<> {
    [site.playbook_dir.join("vars"), site.playbook_dir.clone()].into_iter()
}
