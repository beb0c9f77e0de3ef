//! How a template is written: its delimiters and what happens to white space around them.

/// The options that decide how template text is read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Syntax {
    /// Begins a statement.
    pub block_start: String,
    /// Ends a statement.
    pub block_end: String,
    /// Begins an expression.
    pub variable_start: String,
    /// Ends an expression.
    pub variable_end: String,
    /// Begins a comment.
    pub comment_start: String,
    /// Ends a comment.
    pub comment_end: String,
    /// The newline after a statement is removed.
    pub trim_blocks: bool,
    /// White space between the beginning of a line and a statement is removed.
    pub lstrip_blocks: bool,
    /// A newline at the very end stays.
    pub keep_trailing_newline: bool,
    /// What a newline in the template becomes.
    pub newline_sequence: String,
    /// Backslashes in string literals stand for themselves, as in playbooks. In template files they escape.
    pub raw_backslashes: bool,
    /// String literals may be templates themselves, as conditions allow.
    pub embedded_templates: bool,
    /// The `do` statement is understood.
    pub do_statement: bool,
    /// `break` and `continue` are understood.
    pub loop_controls: bool,
}

impl Default for Syntax {
    fn default() -> Self {
        Syntax {
            block_start: "{%".into(),
            block_end: "%}".into(),
            variable_start: "{{".into(),
            variable_end: "}}".into(),
            comment_start: "{#".into(),
            comment_end: "#}".into(),
            trim_blocks: true,
            lstrip_blocks: false,
            keep_trailing_newline: false,
            newline_sequence: "\n".into(),
            raw_backslashes: true,
            embedded_templates: false,
            do_statement: false,
            loop_controls: false,
        }
    }
}
