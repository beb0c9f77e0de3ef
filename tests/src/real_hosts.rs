//! Hosts with networks, process trees and disks of their own, made by `scripts/hosts` and ended when dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::top;

/// A set of hosts, `h1` and on.
pub struct RealHosts {
    folder: PathBuf,
    subnet: &'static str,
}

impl RealHosts {
    /// Starts so many in this folder, at `SUBNET.11` and on; no other test may use that subnet. `None`, with the reason printed,
    /// where this machine cannot: only root makes networks.
    ///
    /// # Panics
    /// Where they do not come up.
    pub fn up(folder: &Path, subnet: &'static str, count: usize) -> Option<RealHosts> {
        let space = format!("rustle-try-{}", std::process::id());
        let ip = |what: &str| Command::new("ip").args(["netns", what, &space]).output();
        let able = ip("add").is_ok_and(|o| o.status.success());
        let overlays = fs::read_to_string("/proc/filesystems").is_ok_and(|t| t.contains("overlay"));
        if able {
            let _ = ip("del");
        }
        if !able || !overlays {
            eprintln!(
                "left out: hosts with networks of their own need root, `ip netns` and overlay file systems"
            );
            return None;
        }
        let hosts = RealHosts {
            folder: folder.join("hosts"),
            subnet,
        };
        let done = hosts.script(&["up", &count.to_string()]);
        assert!(done.status.success(), "{}", crate::said(&done));
        fs::write(
            folder.join("hosts.ini"),
            hosts.script(&["inventory"]).stdout,
        )
        .unwrap();
        Some(hosts)
    }

    /// Runs `scripts/hosts` with these words, for at most a minute.
    pub fn script(&self, words: &[&str]) -> Output {
        Command::new("timeout")
            .args(["-k", "5", "60"])
            .arg(top().join("scripts/hosts"))
            .args(words)
            .env("RUSTLE_HOSTS", &self.folder)
            .env("RUSTLE_SUBNET", self.subnet)
            .output()
            .unwrap()
    }

    /// What a command inside a host prints, not over ssh.
    pub fn inside(&self, host: &str, command: &str) -> String {
        let done = self.script(&["exec", host, "sh", "-c", command]);
        String::from_utf8_lossy(&done.stdout).into_owned()
    }

    /// This machine's address among them.
    pub fn own_address(&self) -> String {
        format!("{}.1", self.subnet)
    }
}

impl Drop for RealHosts {
    fn drop(&mut self) {
        self.script(&["down"]);
    }
}
