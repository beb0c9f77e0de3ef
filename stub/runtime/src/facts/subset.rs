//! `gather_subset`: which families are asked for.

use rustle_formats::order;

use super::FAMILIES;

/// The names that `gather_subset` may have besides those of families and single facts.
const COLLECTIVE: &[&str] = &["all", "min"];

/// The families that a `gather_subset` means.
///
/// # Errors
/// Ansible's sentence, where a name is unknown.
pub(crate) fn wanted(subset: &[String]) -> Result<Vec<&'static str>, String> {
    let mut added: Vec<&'static str> = Vec::new();
    let mut removed: Vec<&'static str> = Vec::new();
    let mut minimal = true;
    let mut all = false;
    for name in subset {
        let name = name.trim();
        match name {
            "all" => all = true,
            "min" | "" => minimal = true,
            "!all" => all = false,
            "!min" => minimal = false,
            _ => {
                let (list, short) = match name.strip_prefix('!') {
                    Some(short) => (&mut removed, short),
                    None => (&mut added, name),
                };
                list.push(family(short).ok_or_else(|| unknown(short))?);
            }
        }
    }
    all |= subset.is_empty();
    let mut out: Vec<&'static str> = Vec::new();
    for entry in FAMILIES {
        // Exclusions alone leave the minimal set.
        let asked = added.contains(&entry.name)
            || (all || minimal && entry.minimal) && !removed.contains(&entry.name);
        if asked {
            out.push(entry.name);
            out.extend(entry.needs);
        }
    }
    Ok(out)
}

fn family(name: &str) -> Option<&'static str> {
    FAMILIES
        .iter()
        .find(|f| f.name == name || f.facts.contains(&name))
        .map(|f| f.name)
}

fn unknown(name: &str) -> String {
    let mut names: Vec<&str> = FAMILIES
        .iter()
        .flat_map(|f| std::iter::once(f.name).chain(f.facts.iter().copied()))
        .chain(COLLECTIVE.iter().copied())
        .collect();
    order::sort(&mut names);
    format!(
        "Bad subset '{name}' given to Ansible. gather_subset options allowed: {}",
        names.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::wanted;

    fn of(text: &str) -> Vec<&'static str> {
        let list: Vec<String> = text.split(',').map(str::to_owned).collect();
        wanted(&list).unwrap()
    }

    #[test]
    fn subsets() {
        assert!(of("all").contains(&"network") && of("all").contains(&"virtual"));
        assert!(of("min").contains(&"user") && !of("min").contains(&"network"));
        assert!(of("!all").contains(&"user") && !of("!all").contains(&"hardware"));
        assert_eq!(of("!all,!min"), Vec::<&str>::new());
        assert_eq!(of("!all,!min,env"), ["env"]);
        assert!(of("!all,!min,default_ipv4").contains(&"network"));
        assert_eq!(of("!hardware"), of("min"));
        assert!(
            of("all,!hardware").contains(&"network") && !of("all,!hardware").contains(&"hardware")
        );
        assert!(!of("!env").contains(&"env") && !of("network,!env").contains(&"env"));
        assert!(of("network").contains(&"user"));
        assert!(wanted(&["bogus".into()]).is_err());
    }
}
