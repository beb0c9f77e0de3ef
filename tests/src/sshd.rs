//! A real sshd on loopback, with keys and a home of its own, ended when dropped.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How users may log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Login {
    /// With `user_key`, as the user who runs the test.
    Key,
    /// With [`PASSWORD`], as [`USER`]: a user that exists for this daemon alone.
    Password,
    /// The same, but the daemon asks through PAM.
    Questions,
}

/// The user of [`Login::Password`] and [`Login::Questions`].
pub const USER: &str = "rustle-throwaway";
/// That user's password.
pub const PASSWORD: &str = "open-sesame-5c1e";
/// That user's number, which nobody else should have.
const UID: u32 = 64_123;

/// Makes users and the questions of PAM this daemon's alone: the machine's own files stay as they are.
const IN_NAMESPACE: &str = r#"
mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/shadow" /etc/shadow || exit 90
[ ! -e /etc/pam.d/sshd ] || mount --bind "$1/pam" /etc/pam.d/sshd || exit 90
shift; exec "$@"
"#;

/// The daemon.
pub struct Sshd {
    child: Child,
    /// The address that it listens on.
    pub address: &'static str,
    /// The port there.
    pub port: u16,
    /// Its folder: keys, logs, the users' cache.
    pub folder: PathBuf,
}

impl Sshd {
    /// Starts it in this folder. The session's `XDG_CACHE_HOME` is `folder/cache`, so that the machine's own home is left alone.
    ///
    /// # Panics
    /// Where there is no sshd: `scripts/setup test` installs it.
    pub fn start(folder: &Path) -> Sshd {
        Sshd::start_with(folder, "127.0.0.1", Login::Key)
    }

    /// Starts one that takes passwords. `None`, with the reason printed, where no mount namespace can be made: only root
    /// can.
    ///
    /// # Panics
    /// As [`Sshd::start`].
    pub fn with_password(folder: &Path, login: Login) -> Option<Sshd> {
        let able = Command::new("unshare").args(["-m", "true"]).output();
        if !able.is_ok_and(|o| o.status.success()) {
            eprintln!("skipped: no mount namespace can be made (root and unshare are needed)");
            return None;
        }
        if login == Login::Questions && !Path::new("/etc/pam.d/sshd").exists() {
            eprintln!("skipped: this machine's sshd has no PAM");
            return None;
        }
        Some(Sshd::start_with(folder, "127.0.0.1", login))
    }

    /// Starts it on this address.
    ///
    /// # Panics
    /// As [`Sshd::start`].
    pub fn start_with(folder: &Path, address: &'static str, login: Login) -> Sshd {
        let program = program();
        fs::create_dir_all(folder.join("cache")).unwrap();
        for name in ["host_key", "user_key"] {
            let done = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(folder.join(name))
                .status()
                .unwrap();
            assert!(done.success());
        }
        fs::copy(folder.join("user_key.pub"), folder.join("authorized_keys")).unwrap();
        fs::set_permissions(
            folder.join("authorized_keys"),
            fs::Permissions::from_mode(0o600),
        )
        .unwrap();
        let _ = fs::create_dir_all("/run/sshd");
        let port = TcpListener::bind((address, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let at = folder.display();
        fs::write(
            folder.join("sshd_config"),
            format!(
                "Port {port}\nListenAddress {address}\nHostKey {at}/host_key\nAuthorizedKeysFile {at}/authorized_keys\n\
                 PidFile none\nStrictModes no\n{}PermitRootLogin yes\n\
                 SetEnv XDG_CACHE_HOME={at}/cache\nLogLevel VERBOSE\n",
                login.config()
            ),
        )
        .unwrap();
        let log = fs::File::create(folder.join("log")).unwrap();
        let mut command = if login == Login::Key {
            Command::new(program)
        } else {
            private_users(folder);
            let mut command = Command::new("unshare");
            command
                .args(["-m", "sh", "-c", IN_NAMESPACE, "sh"])
                .arg(folder)
                .arg(program);
            command
        };
        let child = command
            .arg("-D")
            .arg("-e")
            .arg("-f")
            .arg(folder.join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut sshd = Sshd {
            child,
            address,
            port,
            folder: folder.to_owned(),
        };
        sshd.wait();
        sshd
    }

    /// Ends the daemon: nobody can connect any more.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts a daemon that was stopped and takes keys, at its old place.
    ///
    /// # Panics
    /// Where it does not answer.
    pub fn start_again(&mut self) {
        let log = fs::File::create(self.folder.join("log")).unwrap();
        self.child = Command::new(program())
            .args(["-D", "-e", "-f"])
            .arg(self.folder.join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.wait();
    }

    /// Waits until it answers.
    fn wait(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect((self.address, self.port)).is_err() {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < deadline,
                "sshd does not answer: {}",
                fs::read_to_string(self.folder.join("log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The destination, as `rustle push` takes it.
    pub fn destination(&self) -> String {
        if self.address.contains(':') {
            format!("[{}]:{}", self.address, self.port)
        } else {
            format!("{}:{}", self.address, self.port)
        }
    }

    /// The user's private key.
    pub fn key(&self) -> String {
        self.folder.join("user_key").display().to_string()
    }
}

/// The daemon's program.
fn program() -> &'static str {
    ["/usr/sbin/sshd", "/usr/local/sbin/sshd"]
        .into_iter()
        .find(|p| Path::new(p).exists())
        .expect("no sshd: install openssh-server")
}

impl Login {
    fn config(self) -> &'static str {
        match self {
            Login::Key => "UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n",
            Login::Password => {
                "UsePAM no\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\nPubkeyAuthentication no\n"
            }
            Login::Questions => {
                "UsePAM yes\nPasswordAuthentication no\nKbdInteractiveAuthentication yes\nPubkeyAuthentication no\n"
            }
        }
    }
}

/// Writes the files that take the place of the machine's own: its users and one more.
fn private_users(folder: &Path) {
    let hash = Command::new("openssl")
        .args(["passwd", "-6", PASSWORD])
        .output()
        .expect("no openssl to hash a password with");
    let hash = String::from_utf8(hash.stdout).unwrap();
    let home = folder.join("home");
    fs::create_dir_all(&home).unwrap();
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let user = format!("{USER}:x:{UID}:{UID}::{}:/bin/sh\n", home.display());
    fs::write(folder.join("passwd"), passwd + &user).unwrap();
    let shadow = format!(
        "root:*:19000:0:99999:7:::\n{USER}:{}:19000:0:99999:7:::\n",
        hash.trim()
    );
    fs::write(folder.join("shadow"), shadow).unwrap();
    let set = |name: &str, mode| {
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    set("passwd", 0o644);
    set("shadow", 0o600);
    let pam = "auth required pam_unix.so\naccount required pam_permit.so\nsession required pam_permit.so\n";
    fs::write(folder.join("pam"), pam).unwrap();
    for name in ["home", "cache"] {
        std::os::unix::fs::chown(folder.join(name), Some(UID), Some(UID)).unwrap();
    }
    // Every folder on the way must let the user through.
    for folder in folder
        .ancestors()
        .take_while(|f| f.starts_with("/tmp") && *f != Path::new("/tmp"))
    {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
