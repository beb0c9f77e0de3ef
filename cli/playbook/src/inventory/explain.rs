//! `rustle explain`: every place that sets a variable of a host, as far as it is known before a play.

use std::borrow::Cow;

use super::load::Loaded;
use super::model::{HostId, Inventory};
use super::report::{Action, Refusal, Request, open, playbook_roots, vars_files};
use crate::config::Config;
use crate::pattern::{Mismatch, pick};
use crate::play::Play;
use crate::problem::Problem;
use crate::source::Sources;
use crate::vars::{
    InventoryVars, Layer, Level, Setting, explain, in_order, parse_extra, play_layers,
};
use crate::vault::Vault;

/// The places that set a variable.
#[derive(Debug)]
pub struct Explanation {
    /// In the order of precedence: the last one wins, or with `hash_behaviour = merge` mappings are joined in this order.
    pub settings: Vec<Setting>,
    /// Warnings.
    pub problems: Vec<Problem>,
}

/// Explains a variable of the host that the request names. Of `plays` those count that run on the host, or whose hosts are a
/// template.
///
/// # Errors
/// As [`Refusal`] has it.
pub fn explain_variable(
    name: &str,
    request: &Request,
    plays: &[Play],
    config: &Config,
    sources: &Sources,
    vault: &Vault,
) -> Result<Explanation, Refusal> {
    let env = config.environment();
    let mut files = vars_files(config, sources, vault);
    let extra =
        parse_extra(&request.extra, &mut files, |p| env.path(p)).map_err(Refusal::Options)?;
    let Loaded {
        inventory,
        mut problems,
        roots,
        ..
    } = open(&request.sources, config, sources, vault, &extra).map_err(Refusal::Content)?;
    let Action::Host(host) = &request.action else {
        return Err(Refusal::Options(Problem::error("no host is named")));
    };
    let host = inventory.find_host(host).ok_or_else(|| {
        let named: Vec<&str> = inventory.hosts().map(|(_, name, _)| name).collect();
        let near = rustle_formats::nearest(host, &named).map(str::to_owned);
        let problem = Problem::error(format!("`{host}` is no host of the inventory"));
        Refusal::Options(match near {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem,
        })
    })?;
    let mut of_plays = Vec::new();
    for play in plays {
        if runs_on(play, &inventory, host).map_err(Refusal::Content)? {
            of_plays.extend(play_layers(play, &mut files).map_err(Refusal::Variables)?);
        }
    }
    let (defaults, rest): (Vec<_>, Vec<_>) = in_order(of_plays)
        .into_iter()
        .partition(|l| l.level == Level::RoleDefaults);
    let roots = playbook_roots(request, config, roots);
    let precedence = config.list("VARIABLE_PRECEDENCE");
    let mut vars = InventoryVars::new(&inventory, roots, files, precedence);
    let mut layers: Vec<Layer<'_>> = defaults;
    // Their order is the configuration's, which need not be that of the levels.
    layers.extend(vars.layers(host).map_err(Refusal::Variables)?);
    layers.extend(rest);
    layers.push(Layer {
        level: Level::ExtraVars,
        owner: Cow::Borrowed(""),
        vars: Cow::Owned(extra),
    });
    problems.extend(vars.take_warnings());
    Ok(Explanation {
        settings: explain(name, &layers),
        problems,
    })
}

fn runs_on(play: &Play, inventory: &Inventory, host: HostId) -> Result<bool, Problem> {
    if play.hosts.iter().any(|p| p.contains("{{")) {
        return Ok(true);
    }
    let picked = pick(inventory, &play.hosts, None, Mismatch::Ignore)?;
    Ok(picked.hosts.contains(&host))
}
