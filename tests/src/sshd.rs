//! A real sshd on loopback, with keys and a home of its own, ended when dropped.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The daemon.
pub struct Sshd {
    child: Child,
    /// The port on 127.0.0.1.
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
        let program = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"]
            .iter()
            .find(|p| Path::new(p).exists())
            .expect("no sshd: install openssh-server");
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
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let at = folder.display();
        fs::write(
            folder.join("sshd_config"),
            format!(
                "Port {port}\nListenAddress 127.0.0.1\nHostKey {at}/host_key\nAuthorizedKeysFile {at}/authorized_keys\n\
                 PidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n\
                 SetEnv XDG_CACHE_HOME={at}/cache\nLogLevel VERBOSE\n"
            ),
        )
        .unwrap();
        let log = fs::File::create(folder.join("log")).unwrap();
        let child = Command::new(program)
            .arg("-D")
            .arg("-e")
            .arg("-f")
            .arg(folder.join("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let sshd = Sshd {
            child,
            port,
            folder: folder.to_owned(),
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(
                Instant::now() < deadline,
                "sshd does not answer: {}",
                fs::read_to_string(folder.join("log")).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        sshd
    }

    /// The destination, as `rustle push` takes it.
    pub fn destination(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The user's private key.
    pub fn key(&self) -> String {
        self.folder.join("user_key").display().to_string()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
