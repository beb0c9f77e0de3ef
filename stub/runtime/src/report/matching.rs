//! Which lines two texts share, after Ratcliff and Obershelp: the longest run of common lines first, then the same to its
//! left and right.
//!
//! A shortest difference (Myers) would often look other than what Ansible prints, and people compare outputs; so the
//! choice of lines follows the documented behaviour of Python's `difflib`, its rule for frequent lines included.

use std::collections::HashMap;

use rustle_formats::order;

/// A run of equal lines: where in the first text, where in the second, how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Run {
    pub(super) a: usize,
    pub(super) b: usize,
    pub(super) len: usize,
}

/// From so many lines on, lines that make up more than one percent of a text start no run.
const FREQUENT_FROM: usize = 200;

/// The runs of equal lines, in order, none touching the next in both texts.
pub(super) fn runs(a: &[&str], b: &[&str]) -> Vec<Run> {
    let places = places(b);
    let mut found = Vec::new();
    let mut todo = vec![(0, a.len(), 0, b.len())];
    while let Some((a_from, a_to, b_from, b_to)) = todo.pop() {
        let run = longest(a, b, &places, (a_from, a_to), (b_from, b_to));
        if run.len == 0 {
            continue;
        }
        found.push(run);
        if a_from < run.a && b_from < run.b {
            todo.push((a_from, run.a, b_from, run.b));
        }
        if run.a + run.len < a_to && run.b + run.len < b_to {
            todo.push((run.a + run.len, a_to, run.b + run.len, b_to));
        }
    }
    order::sort(&mut found);
    let mut out: Vec<Run> = Vec::with_capacity(found.len());
    for run in found {
        match out.last_mut() {
            Some(last) if last.a + last.len == run.a && last.b + last.len == run.b => {
                last.len += run.len;
            }
            _ => out.push(run),
        }
    }
    out
}

/// Where each line stands in `b`, without the frequent ones.
fn places<'a>(b: &[&'a str]) -> HashMap<&'a str, Vec<usize>> {
    let mut out: HashMap<&str, Vec<usize>> = HashMap::new();
    for (j, line) in b.iter().enumerate() {
        out.entry(line).or_default().push(j);
    }
    if b.len() >= FREQUENT_FROM {
        let most = b.len() / 100 + 1;
        out.retain(|_, at| at.len() <= most);
    }
    out
}

/// The longest common run in the two ranges; of several, the one that begins first in `a`, then in `b`.
fn longest(
    a: &[&str],
    b: &[&str],
    places: &HashMap<&str, Vec<usize>>,
    (a_from, a_to): (usize, usize),
    (b_from, b_to): (usize, usize),
) -> Run {
    let mut best = Run {
        a: a_from,
        b: b_from,
        len: 0,
    };
    // How long a run ends at the line of `a` before and at each line of `b`.
    let mut before: HashMap<usize, usize> = HashMap::new();
    for (i, line) in a.iter().enumerate().take(a_to).skip(a_from) {
        let mut here = HashMap::new();
        for &j in places.get(line).map_or(&[][..], Vec::as_slice) {
            if j < b_from {
                continue;
            }
            if j >= b_to {
                break;
            }
            let len = 1 + j
                .checked_sub(1)
                .and_then(|left| before.get(&left))
                .copied()
                .unwrap_or(0);
            here.insert(j, len);
            if len > best.len {
                best = Run {
                    a: i + 1 - len,
                    b: j + 1 - len,
                    len,
                };
            }
        }
        before = here;
    }
    // Frequent lines may not start a run, but they prolong one.
    while best.a > a_from && best.b > b_from && a[best.a - 1] == b[best.b - 1] {
        best.a -= 1;
        best.b -= 1;
        best.len += 1;
    }
    while best.a + best.len < a_to
        && best.b + best.len < b_to
        && a[best.a + best.len] == b[best.b + best.len]
    {
        best.len += 1;
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_first() {
        let a = ["x", "a", "b", "y", "c"];
        let b = ["a", "b", "z", "x", "c"];
        let found: Vec<_> = runs(&a, &b).iter().map(|r| (r.a, r.b, r.len)).collect();
        assert_eq!(found, [(1, 0, 2), (4, 4, 1)]);
    }

    #[test]
    fn frequent_lines_prolong_only() {
        let a = vec!["same"; 300];
        let b = vec!["same"; 250];
        // Nothing but frequent lines: nothing to start from, yet the edges grow.
        assert_eq!(
            runs(&a, &b),
            [Run {
                a: 0,
                b: 0,
                len: 250
            }]
        );
    }
}
