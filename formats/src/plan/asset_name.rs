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

#[cfg(test)]
mod tests {
    use super::asset_name;

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
