//! The public keys by which ssh knows the machine.

use rustle_formats::Map;

use super::Source;

pub(super) fn gather(source: &Source<'_>, facts: &mut Map) {
    for kind in ["dsa", "rsa", "ecdsa", "ed25519"] {
        let found = ["/etc/ssh", "/etc/openssh", "/etc"]
            .iter()
            .find_map(|folder| source.line(&format!("{folder}/ssh_host_{kind}_key.pub")));
        let Some(line) = found else { continue };
        let mut words = line.split_whitespace();
        if let (Some(keytype), Some(key)) = (words.next(), words.next()) {
            facts.insert(format!("ansible_ssh_host_key_{kind}_public"), key.into());
            facts.insert(
                format!("ansible_ssh_host_key_{kind}_public_keytype"),
                keytype.into(),
            );
        }
    }
}
