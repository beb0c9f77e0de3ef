//! How names are resolved: resolv.conf.

use rustle_formats::{Map, Value};

use super::Source;

pub(super) fn gather(source: &Source<'_>, facts: &mut Map) {
    let mut dns = Map::new();
    for line in source.text("/etc/resolv.conf").unwrap_or_default().lines() {
        if line.starts_with(['#', ';']) {
            continue;
        }
        let mut words = line.split_whitespace();
        let (Some(key), rest) = (words.next(), words.collect::<Vec<_>>()) else {
            continue;
        };
        match key {
            "nameserver" => add(&mut dns, "nameservers", &rest),
            "domain" => {
                if let Some(domain) = rest.first() {
                    dns.insert("domain".into(), (*domain).into());
                }
            }
            "search" => {
                dns.insert("search".into(), Value::from(rest));
            }
            "sortlist" => {
                dns.insert("sortlist".into(), Value::from(rest));
            }
            "options" => {
                let options: Map = rest
                    .iter()
                    .map(|option| match option.split_once(':') {
                        Some((name, value)) => (name.to_owned(), value.into()),
                        None => ((*option).to_owned(), true.into()),
                    })
                    .collect();
                dns.insert("options".into(), Value::Map(options));
            }
            _ => {}
        }
    }
    facts.insert("ansible_dns".into(), Value::Map(dns));
}

fn add(map: &mut Map, name: &str, words: &[&str]) {
    let list = map
        .entry(name.to_owned())
        .or_insert_with(|| Value::List(Vec::new()));
    if let Value::List(list) = list {
        list.extend(words.iter().map(|w| Value::from(*w)));
    }
}
