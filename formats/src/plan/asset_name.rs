//! One rule for the name of an asset, for the side that packs and the side that looks it up.

/// The path in the artifact of a file that a playbook names as `src`.
///
/// Relative names are kept, without `.` and empty components and without a final slash. `/x` becomes `_root/x`, `~/x`
/// becomes `_home/x`, and each leading `..` becomes `_up`, so that no path climbs out and none meets another.
pub fn asset_name(src: &str) -> String {
    let (mut out, rest): (Vec<&str>, &str) = if let Some(rest) = src.strip_prefix('/') {
        (vec!["_root"], rest)
    } else if let Some(rest) = src.strip_prefix("~/") {
        (vec!["_home"], rest)
    } else {
        (Vec::new(), src)
    };
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." => match out.last() {
                Some(&"_root") => {}
                None | Some(&"_up" | &"_home") => out.push("_up"),
                Some(_) => {
                    out.pop();
                }
            },
            name => out.push(name),
        }
    }
    out.join("/")
}

/// The places where a file that a task names as `src` is looked for, in order: in each of the task's folders, which may
/// be absolute, then from the root, each time in the conventional folder `kind` (`files`, `templates`) first. What is
/// named from the root or from the user's folder is only there. Each becomes a name in the artifact by [`asset_name`].
pub fn asset_candidates(folders: &[String], kind: &str, src: &str) -> Vec<String> {
    if src.starts_with(['/', '~']) {
        return vec![src.to_owned()];
    }
    let join = |parts: &[&str]| {
        let parts: Vec<&str> = parts.iter().copied().filter(|p| !p.is_empty()).collect();
        parts.join("/")
    };
    let mut out = Vec::new();
    for folder in folders {
        out.push(join(&[folder, kind, src]));
        out.push(join(&[folder, src]));
    }
    out.push(join(&[kind, src]));
    out.push(src.to_owned());
    out.retain(|name| !name.is_empty());
    out
}

#[cfg(test)]
mod tests {
    use super::{asset_candidates, asset_name};

    #[test]
    fn files_are_looked_for_where_roles_keep_them() {
        let folders = ["roles/web".to_owned(), "/opt/roles/db".to_owned()];
        let found = asset_candidates(&folders, "templates", "../x.j2");
        let names: Vec<String> = found.iter().map(|name| asset_name(name)).collect();
        assert_eq!(
            names,
            [
                "roles/web/x.j2",
                "roles/x.j2",
                "_root/opt/roles/db/x.j2",
                "_root/opt/roles/x.j2",
                "x.j2",
                "_up/x.j2"
            ]
        );
        assert_eq!(asset_candidates(&folders, "files", "/etc/x"), ["/etc/x"]);
    }

    #[test]
    fn names_never_climb() {
        for (src, name) in [
            ("a/./b//c/", "a/b/c"),
            ("/etc/../../x", "_root/x"),
            ("../files/x", "_up/files/x"),
            ("a/../../b", "_up/b"),
            ("~/k", "_home/k"),
        ] {
            assert_eq!(asset_name(src), name, "{src}");
        }
    }
}
