//! `--step`: the user is asked before every task.

use std::io::{BufRead as _, Write as _};

use rustle_runtime::engine::Confirm;

/// How wide the line below an answer is, as Ansible draws it.
const WIDTH: usize = 79;

/// Asks whether to do a task, told as `TASK: NAME`. Whatever is no yes is a no, and so is nothing.
pub(super) fn ask(task: &str) -> Confirm {
    let prompt = format!("Perform task: {task} (N)o/(y)es/(c)ontinue:");
    let mut out = std::io::stdout().lock();
    // Where nobody reads there is nobody to answer either.
    let _ = write!(out, "{prompt} ").and_then(|()| out.flush());
    let mut line = String::new();
    let _ = std::io::stdin().lock().read_line(&mut line);
    let stars = WIDTH.saturating_sub(prompt.chars().count()).max(3);
    let _ = writeln!(out, "\n{prompt} {}", "*".repeat(stars));
    meaning(&line)
}

fn meaning(line: &str) -> Confirm {
    match line.trim_end_matches(['\n', '\r']).to_lowercase().as_str() {
        "y" | "yes" => Confirm::Yes,
        "c" | "continue" => Confirm::All,
        _ => Confirm::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Ansible makes of answers.
    #[test]
    fn answers() {
        let of = |lines: [&str; 3]| lines.map(meaning);
        assert_eq!(of(["y\n", "YES\r\n", "yes"]), [Confirm::Yes; 3]);
        assert_eq!(of(["c", "Continue\n", "continue"]), [Confirm::All; 3]);
        assert_eq!(of(["", "x\n", "No\n"]), [Confirm::No; 3]);
    }
}
