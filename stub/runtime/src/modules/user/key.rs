//! The user's ssh key, made by the machine's ssh-keygen.

use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};

use rustle_formats::Value;

use crate::accounts::User;
use crate::args::Args;
use crate::context::Context;
use crate::outcome::{Failure, Outcome};
use crate::process::{Run, program};

/// Makes the key where it is missing, and adds its return values.
pub(super) fn ensure(
    args: &Args,
    ctx: &Context<'_>,
    user: &User,
    outcome: Outcome,
) -> Result<Outcome, Failure> {
    let path = file(args, user);
    let there = path.exists();
    let mut changed = false;
    if there && !args.bool("force") {
        ctx.warn(format!(
            "Found existing ssh key private file \"{}\", no force, so skipping ssh-keygen generation",
            path.display()
        ));
    } else {
        changed = true;
        if !ctx.check {
            generate(args, ctx, user, &path)?;
        }
    }
    let public = public_name(&path);
    let text = std::fs::read_to_string(&public).ok();
    let fingerprint = match text {
        Some(_) => fingerprint(ctx, &path)?,
        None => String::new(),
    };
    let mut outcome = outcome
        .with("ssh_fingerprint", fingerprint)
        .with("ssh_key_file", path.to_string_lossy().into_owned())
        .with(
            "ssh_public_key",
            text.map_or(Value::Null, |t| t.trim().into()),
        );
    outcome.changed |= changed;
    Ok(outcome)
}

fn file(args: &Args, user: &User) -> PathBuf {
    let home = Path::new(&user.home);
    match args.str("ssh_key_file") {
        Some(given) => home.join(given),
        None => home.join(format!(".ssh/id_{}", args.text("ssh_key_type"))),
    }
}

fn public_name(path: &Path) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(".pub");
    PathBuf::from(name)
}

fn generate(args: &Args, ctx: &Context<'_>, user: &User, path: &Path) -> Result<(), Failure> {
    let cannot = |what: &Path, e: std::io::Error| {
        Failure::new(format!("Failed to create {}: {e}", what.display()))
    };
    let keygen = program(ctx, "ssh-keygen")?;
    if let Some(dir) = path.parent()
        && !dir.exists()
    {
        std::fs::DirBuilder::new()
            .mode(0o700)
            .create(dir)
            .and_then(|()| chown(dir, Some(user.uid), Some(user.gid)))
            .map_err(|e| cannot(dir, e))?;
    }
    for old in [path.to_owned(), public_name(path)] {
        match std::fs::remove_file(&old) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(cannot(&old, e)),
            _ => {}
        }
    }
    let host = rustix::system::uname();
    let host = host.nodename().to_string_lossy();
    let comment = args.text("ssh_key_comment").replace("$HOSTNAME", &host);
    let mut run = Run::new(keygen)
        .arg("-q")
        .args(["-t", args.text("ssh_key_type")])
        .args(["-C", &comment])
        .arg("-f")
        .arg(path)
        .within(ctx);
    if let Some(bits) = args.int("ssh_key_bits").filter(|b| *b > 0) {
        run = run.args(["-b", &bits.to_string()]);
    }
    run = match args.str("ssh_key_passphrase") {
        None => run.args(["-N", ""]),
        Some(passphrase) => with_passphrase(run, ctx, passphrase)?,
    };
    let done = run.run()?;
    if !done.ok() {
        return Err(done.failure(format!("ssh-keygen failed: {}", done.said())));
    }
    for made in [path.to_owned(), public_name(path)] {
        chown(&made, Some(user.uid), Some(user.gid)).map_err(|e| cannot(&made, e))?;
    }
    Ok(())
}

/// Answers ssh-keygen's questions through its askpass, since everybody can read a command line.
fn with_passphrase<'a>(
    run: Run<'a>,
    ctx: &Context<'_>,
    passphrase: &str,
) -> Result<Run<'a>, Failure> {
    use std::io::Write;
    let script = ctx.work_dir.join("askpass");
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o700)
        .open(&script)
        .and_then(|mut f| f.write_all(b"#!/bin/sh\nprintf '%s\\n' \"$RUSTLE_ASKPASS_ANSWER\"\n"))
        .map_err(|e| Failure::new(format!("Failed to create {}: {e}", script.display())))?;
    Ok(run
        .env("SSH_ASKPASS", &script)
        .env("SSH_ASKPASS_REQUIRE", "force")
        .env("DISPLAY", "none")
        .env("RUSTLE_ASKPASS_ANSWER", passphrase))
}

fn fingerprint(ctx: &Context<'_>, path: &Path) -> Result<String, Failure> {
    let done = Run::new(program(ctx, "ssh-keygen")?)
        .args(["-l", "-f"])
        .arg(path)
        .within(ctx)
        .plain()
        .run()?;
    Ok(if done.ok() {
        done.out().trim().to_owned()
    } else {
        done.err().trim().to_owned()
    })
}
