//! The options that name vault passwords: ansible-vault's and ansible-playbook's own.

use rustle_playbook::config::Config;
use rustle_playbook::vault::{PasswordSource, Secret, SourceError, Vault, load_all, load_new};

use crate::console::Console;
use crate::diagnostic::{Diagnostic, Level};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::surroundings::{Surroundings, Terminal};

/// Which vault passwords there are.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Vault passwords")]
pub(crate) struct VaultOptions {
    /// A vault id and where its password comes from: ID@FILE, ID@SCRIPT, ID@prompt, or without ID@. May be given several
    /// times.
    #[arg(long = "vault-id", value_name = "ID@SOURCE")]
    ids: Vec<String>,
    /// A file with the password, or an executable that prints it. May be given several times.
    #[arg(
        long = "vault-password-file",
        alias = "vault-pass-file",
        value_name = "FILE"
    )]
    password_files: Vec<String>,
    /// Ask for the password.
    #[arg(
        short = 'J',
        long = "ask-vault-password",
        alias = "ask-vault-pass",
        conflicts_with = "password_files"
    )]
    ask: bool,
}

/// A vault id and where its password comes from.
type Source = (String, PasswordSource);

impl VaultOptions {
    /// The passwords for reading. `must`: where nothing names one, it is asked for.
    pub(crate) fn vault(
        &self,
        surroundings: &Surroundings,
        console: &Console,
        must: bool,
    ) -> Result<Vault, Failure> {
        let config = &surroundings.config;
        let sources = self.sources(config, must);
        let loaded = load_all(&sources, &mut Terminal);
        let mut failures: Vec<Diagnostic> = loaded
            .failures
            .iter()
            .map(|(id, e)| unavailable(id, e))
            .collect();
        if loaded.secrets.is_empty()
            && let Some(mut last) = failures.pop()
        {
            last.level = Level::Error;
            failures.push(last);
            return Err(Failure {
                diagnostics: failures,
                exit: Exit::Plan,
            });
        }
        for failure in &failures {
            console.say(failure);
        }
        Ok(Vault {
            secrets: loaded.secrets,
            match_id: config.text("DEFAULT_VAULT_ID_MATCH").is_some_and(|t| {
                // Any word that is set means yes to Ansible, `false` too; only the default does not.
                !t.is_empty() && config.is_set("DEFAULT_VAULT_ID_MATCH")
            }),
            ..Vault::default()
        })
    }

    /// The password for encrypting. `encrypt_id`: the value of `--encrypt-vault-id`.
    pub(crate) fn new_secret(
        &self,
        surroundings: &Surroundings,
        console: &Console,
        encrypt_id: Option<&str>,
    ) -> Result<Secret, Failure> {
        let config = &surroundings.config;
        let sources = self.sources(config, true);
        choose(&sources, config, console, encrypt_id)
    }

    fn sources(&self, config: &Config, must: bool) -> Vec<Source> {
        let default_id = config.text("DEFAULT_VAULT_IDENTITY").unwrap_or("default");
        let env = config.environment();
        let listed = config.list("DEFAULT_VAULT_IDENTITY_LIST");
        let mut sources: Vec<Source> = listed
            .iter()
            .chain(&self.ids)
            .map(|text| PasswordSource::parse(text, default_id, |p| env.path(p)))
            .collect();
        let file = |path| (default_id.to_owned(), PasswordSource::File(path));
        sources.extend(self.password_files.iter().map(|p| file(env.path(p))));
        sources.extend(config.path("DEFAULT_VAULT_PASSWORD_FILE").map(file));
        let asked = self.ask || config.flag("DEFAULT_ASK_VAULT_PASS");
        if asked || (must && sources.is_empty()) {
            sources.push((default_id.to_owned(), PasswordSource::Ask));
        }
        sources
    }
}

/// The password for encrypting, of several sources.
pub(crate) fn choose(
    sources: &[Source],
    config: &Config,
    console: &Console,
    encrypt_id: Option<&str>,
) -> Result<Secret, Failure> {
    let wanted = encrypt_id.or_else(|| config.text("DEFAULT_VAULT_ENCRYPT_IDENTITY"));
    if wanted.is_none() && sources.len() > 1 {
        let ids: Vec<&str> = sources.iter().map(|(id, _)| id.as_str()).collect();
        return Err(Failure::text(
            Exit::Options,
            format!("several vault passwords can encrypt: {}", ids.join(", ")),
        )
        .hint("say which with --encrypt-vault-id ID"));
    }
    let mut known: Vec<Secret> = Vec::new();
    for (id, source) in sources {
        if wanted.is_some_and(|w| w != id) {
            continue;
        }
        match load_new(id, source, &known, &mut Terminal) {
            Ok(secret) => known.push(secret),
            Err(e) => {
                let mut said = unavailable(id, &e);
                if sources.len() == 1 {
                    said.level = Level::Error;
                    return Err(Failure::new(Exit::Plan, said));
                }
                console.say(&said);
            }
        }
    }
    known.into_iter().next().ok_or_else(|| {
        let ids: Vec<&str> = sources.iter().map(|(id, _)| id.as_str()).collect();
        Failure::text(
            Exit::Plan,
            format!(
                "there is no vault password for `{}` of --encrypt-vault-id; there are: {}",
                wanted.unwrap_or_default(),
                ids.join(", ")
            ),
        )
    })
}

fn unavailable(id: &str, e: &SourceError) -> Diagnostic {
    Diagnostic::new(Level::Warning, e.to_string()).note(format!("for the vault id `{id}`"))
}
