//! Places in a pattern's hosts: `web[0]`, `web[-1]`, `web[0:2]`, `web[1:]`. Both ends are meant.

/// One place, or a range of them.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Subscript {
    /// From 0; below: from the end.
    One(i64),
    /// From the first to the last, which is the end where there is none.
    Range {
        first: usize,
        last: Option<usize>,
        /// Written with a dash, as once was right.
        old: bool,
    },
}

impl Subscript {
    /// Takes a subscript off a pattern. A regular expression has none.
    pub(super) fn split(pattern: &str) -> (&str, Option<Subscript>) {
        let none = (pattern, None);
        if pattern.starts_with('~') {
            return none;
        }
        let Some((name, inner)) = pattern.strip_suffix(']').and_then(|p| p.rsplit_once('[')) else {
            return none;
        };
        if name.is_empty() {
            return none;
        }
        match Subscript::parse(inner) {
            Some(subscript) => (name, Some(subscript)),
            None => none,
        }
    }

    fn parse(inner: &str) -> Option<Subscript> {
        let number = |t: &str| -> Option<usize> {
            let digits = !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
            digits.then(|| t.parse().ok()).flatten()
        };
        if let Some(digits) = inner.strip_prefix('-') {
            return Some(Subscript::One(-i64::try_from(number(digits)?).ok()?));
        }
        if let Some(one) = number(inner) {
            return Some(Subscript::One(i64::try_from(one).ok()?));
        }
        let at = inner.find([':', '-'])?;
        let (first, last) = (&inner[..at], &inner[at + 1..]);
        Some(Subscript::Range {
            first: number(first)?,
            last: if last.is_empty() {
                None
            } else {
                Some(number(last)?)
            },
            old: inner[at..].starts_with('-'),
        })
    }

    /// Written in the old way.
    pub(super) fn is_old(&self) -> bool {
        matches!(self, Subscript::Range { old: true, .. })
    }

    /// The hosts at these places; `None`: one place that is not there.
    pub(super) fn of<T: Copy>(&self, hosts: &[T]) -> Option<Vec<T>> {
        match self {
            Subscript::One(at) => {
                let place = if *at < 0 {
                    hosts.len().checked_sub(usize::try_from(-at).ok()?)?
                } else {
                    usize::try_from(*at).ok()?
                };
                Some(vec![*hosts.get(place)?])
            }
            Subscript::Range { first, last, .. } => {
                let end = last
                    .map_or(hosts.len(), |l| l.saturating_add(1))
                    .min(hosts.len());
                Some(hosts.get(*first..end).unwrap_or_default().to_vec())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subscripts() {
        let split = |p| Subscript::split(p);
        assert_eq!(split("web[0]"), ("web", Some(Subscript::One(0))));
        assert_eq!(split("web[-2]"), ("web", Some(Subscript::One(-2))));
        assert!(split("web[01:3]").1.is_some());
        for plain in ["web[:2]", "web[-3:]", "web[a:b]", "~web[0]", "[0]", "web"] {
            assert_eq!(split(plain), (plain, None));
        }
        let hosts = [1, 2, 3];
        let of = |p| Subscript::split(p).1.unwrap().of(&hosts);
        assert_eq!(of("w[1:]"), Some(vec![2, 3]));
        assert_eq!(of("w[0:9]"), Some(vec![1, 2, 3]));
        assert_eq!(of("w[5:9]"), Some(vec![]));
        assert_eq!(of("w[3]"), None);
        assert_eq!(of("w[-4]"), None);
    }
}
