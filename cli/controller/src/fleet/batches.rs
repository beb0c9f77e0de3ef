//! The order of a play's hosts, and how many of them run at a time.

use rustle_formats::Value;
use rustle_formats::plan::PlayPlan;

/// Puts a play's hosts into the order that it wants.
///
/// # Errors
/// Ansible's sentence about an order that does not exist.
pub(super) fn ordered(play: &PlayPlan, mut hosts: Vec<String>) -> Result<Vec<String>, String> {
    match play.order.as_deref() {
        None | Some("inventory") => {}
        Some("reverse_inventory") => hosts.reverse(),
        Some("sorted") => hosts.sort(),
        Some("reverse_sorted") => {
            hosts.sort();
            hosts.reverse();
        }
        Some("shuffle") => shuffle(&mut hosts)?,
        Some(other) => {
            return Err(format!(
                "Invalid 'order' specified for inventory hosts: {other}"
            ));
        }
    }
    Ok(hosts)
}

/// Any order, each as likely as the others.
fn shuffle(hosts: &mut [String]) -> Result<(), String> {
    for last in (1..hosts.len()).rev() {
        let mut bytes = [0u8; 8];
        getrandom::fill(&mut bytes).map_err(|e| format!("no randomness: {e}"))?;
        let pick = (u64::from_le_bytes(bytes) % (last as u64 + 1)) as usize;
        hosts.swap(last, pick);
    }
    Ok(())
}

/// Cuts a play's hosts into batches (`serial`).
///
/// # Errors
/// A sentence about a size that is none.
pub(super) fn batches(
    serial: Option<&Value>,
    hosts: &[String],
) -> Result<Vec<Vec<String>>, String> {
    let written = match serial {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::List(list)) => list.clone(),
        Some(one) => vec![one.clone()],
    };
    let mut sizes = Vec::new();
    for value in &written {
        sizes.push(size(value, hosts.len())?);
    }
    let mut out = Vec::new();
    let mut rest = hosts;
    let mut next = 0;
    while !rest.is_empty() {
        // The last size holds for all that follows; none at all: everybody at once.
        let size = sizes.get(next).or(sizes.last()).copied().unwrap_or(0);
        let size = if size == 0 { rest.len() } else { size };
        let (batch, left) = rest.split_at(size.min(rest.len()));
        out.push(batch.to_vec());
        rest = left;
        next += 1;
    }
    Ok(out)
}

/// A size: a number, or a share of all hosts, at least one. 0: all.
fn size(value: &Value, total: usize) -> Result<usize, String> {
    let text = match value {
        Value::Int(n) => n.to_string(),
        Value::Str(text) | Value::Unsafe(text) => text.trim().to_owned(),
        other => rustle_runtime::report::python_str(other),
    };
    let wrong = || format!("`serial: {text}` is neither a number nor a percentage");
    if let Some(share) = text.strip_suffix('%') {
        let share: f64 = share.trim().parse().map_err(|_| wrong())?;
        return Ok(((share / 100.0 * total as f64) as usize).max(1));
    }
    let number: i64 = text.parse().map_err(|_| wrong())?;
    Ok(usize::try_from(number).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(serial: Value) -> String {
        let hosts: Vec<String> = "abcdefghij".chars().map(String::from).collect();
        let cut = batches(Some(&serial), &hosts).unwrap();
        cut.iter().map(|b| b.concat()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn sizes_are_numbers_shares_and_lists() {
        assert_eq!(cut(3.into()), "abc def ghi j");
        assert_eq!(cut("30%".into()), "abc def ghi j");
        assert_eq!(cut("1%".into()).len(), 19);
        assert_eq!(
            cut(Value::List(vec![1.into(), "20%".into(), 5.into()])),
            "a bc defgh ij"
        );
        assert_eq!(cut(0.into()), "abcdefghij");
        assert!(batches(Some(&"many".into()), &["a".to_owned()]).is_err());
    }
}
