//! A machine with people on it: this one, seen through an overlay in a mount namespace of its own, with users, passwords and the
//! programs that change users. Nothing of it is ever on the machine itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Users with the password `NAMEpw`, of whom `alice` may become anybody by sudo and doas with her password, `carol` without one,
/// and `bob` nobody. The password of root is `rootpw`.
pub struct People {
    dir: tempfile::TempDir,
}

/// Makes the users. What it writes lies in the overlay.
const USERS: &str = r#"
set -e
chmod 755 / /root /work 2>/dev/null || true
for u in alice bob carol; do
    useradd -m -s /bin/sh $u
    chmod 755 /home/$u
    echo "$u:${u}pw" | chpasswd
done
echo root:rootpw | chpasswd
cat > /etc/sudoers <<S
Defaults !lecture, timestamp_timeout=0, secure_path="/usr/sbin:/usr/bin:/sbin:/bin"
root ALL=(ALL) ALL
alice ALL=(ALL) ALL
carol ALL=(ALL) NOPASSWD: ALL
S
chmod 440 /etc/sudoers
printf 'permit alice\npermit nopass carol\n' > /etc/doas.conf
chmod 400 /etc/doas.conf
"#;

/// Mounts the overlay with the programs, and becomes somebody in it: user, folder, program, arguments.
const ENTER: &str = r#"
set -e
mount --make-rprivate /
d=$1; u=$2; shift 2
mount -t overlay overlay -o "lowerdir=/,upperdir=$d/upper,workdir=$d/work" "$d/root"
mount -t proc proc "$d/root/proc"
mount --rbind /dev "$d/root/dev"
for f in "$d"/bin/*; do
    [ -e "$f" ] || continue
    touch "$d/root/usr/local/bin/${f##*/}"
    mount --bind "$(readlink -f "$f")" "$d/root/usr/local/bin/${f##*/}"
done
cd /
if [ "$u" = root ]; then
    exec chroot "$d/root" /usr/bin/env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root USER=root LC_ALL=C.UTF-8 sh -c 'cd /plays && exec "$@"' sh "$@"
fi
exec chroot "$d/root" setpriv --reuid "$u" --regid "$u" --init-groups \
    /usr/bin/env -i PATH=/usr/local/bin:/usr/bin:/bin HOME=/home/$u USER=$u LOGNAME=$u LC_ALL=C.UTF-8 KEPT=yes sh -c 'cd /plays && exec "$@"' sh "$@"
"#;

impl People {
    /// Makes them, or says why not and gives `None`: the test is then left out. `programs` must be there.
    ///
    /// # Panics
    /// Where the users cannot be made although everything for it is there.
    pub fn new(programs: &[&str]) -> Option<People> {
        let path = |program: &&str| {
            let folders = ["/usr/bin", "/usr/sbin", "/bin", "/sbin"];
            folders.iter().any(|f| Path::new(f).join(program).exists())
        };
        let needed = ["useradd", "chpasswd", "setpriv", "unshare"];
        if let Some(missing) = needed.iter().chain(programs).find(|p| !path(p)) {
            eprintln!("left out: {missing} is not installed");
            return None;
        }
        // The upper layer must lie on a file system that can be one.
        let people = People {
            dir: tempfile::tempdir().unwrap(),
        };
        for folder in ["upper/plays", "work", "root", "bin"] {
            fs::create_dir_all(people.dir.path().join(folder)).unwrap();
        }
        use std::os::unix::fs::PermissionsExt as _;
        for folder in ["upper", "upper/plays"] {
            let open = fs::Permissions::from_mode(if folder == "upper" { 0o755 } else { 0o777 });
            fs::set_permissions(people.dir.path().join(folder), open).unwrap();
        }
        let mounted = people.run("root", &["true"]);
        if !mounted.status.success() {
            eprintln!(
                "left out: no overlay can be mounted: {}",
                crate::said(&mounted)
            );
            return None;
        }
        let made = people.run("root", &["sh", "-c", USERS]);
        assert!(made.status.success(), "{}", crate::said(&made));
        Some(people)
    }

    /// Puts a program into everybody's PATH.
    pub fn has(&self, name: &str, program: &Path) {
        std::os::unix::fs::symlink(program, self.dir.path().join("bin").join(name)).unwrap();
    }

    /// Writes a file below `/plays`, which is where programs start.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.plays().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Where `/plays` lies outside.
    pub fn plays(&self) -> PathBuf {
        self.dir.path().join("upper/plays")
    }

    /// What lies in the folders for temporary files that nobody put there before.
    pub fn left(&self) -> Vec<String> {
        let folders = ["tmp", "var/tmp"].map(|f| self.dir.path().join("upper").join(f));
        let entries = folders
            .iter()
            .filter_map(|f| fs::read_dir(f).ok())
            .flatten();
        let names = entries.flatten().map(|e| e.file_name());
        names.map(|n| n.to_string_lossy().into_owned()).collect()
    }

    /// Runs a program as somebody, with nothing on its standard input.
    pub fn run(&self, user: &str, command: &[&str]) -> Output {
        Command::new("unshare")
            .args(["-m", "sh", "-c", ENTER, "sh"])
            .arg(self.dir.path())
            .arg(user)
            .args(command)
            .stdin(std::process::Stdio::null())
            .output()
            .unwrap()
    }
}
