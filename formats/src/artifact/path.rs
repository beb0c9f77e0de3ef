//! Which names an asset may have: those that stay below the folder into which they are unpacked.

use std::fmt;

use super::MAX_PATH;

/// Why a name cannot be an asset's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PathError {
    /// It has no bytes.
    Empty,
    /// It has more than [`MAX_PATH`] bytes.
    TooLong,
    /// It begins with `/`.
    Absolute,
    /// It has an empty component, `.` or `..`.
    Component,
    /// It has a component of more than 255 bytes, which no file system can hold.
    LongComponent,
    /// It has a NUL byte.
    Nul,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the path is empty",
            Self::TooLong => "the path is longer than 4096 bytes",
            Self::Absolute => "the path is absolute",
            Self::Component => "the path has a component that is empty, `.` or `..`",
            Self::LongComponent => "the path has a component longer than 255 bytes",
            Self::Nul => "the path has a NUL byte",
        })
    }
}

impl std::error::Error for PathError {}

/// Checks that `path` can name an asset: relative, `/` between components, none of them empty, `.` or `..`, no NUL.
/// It need not be UTF-8.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_path(path: &[u8]) -> Result<(), PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    if path.len() > MAX_PATH {
        return Err(PathError::TooLong);
    }
    if path[0] == b'/' {
        return Err(PathError::Absolute);
    }
    if path.contains(&0) {
        return Err(PathError::Nul);
    }
    for component in path.split(|&b| b == b'/') {
        if matches!(component, b"" | b"." | b"..") {
            return Err(PathError::Component);
        }
        if component.len() > 255 {
            return Err(PathError::LongComponent);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_that_stay_below_pass() {
        for good in [
            &b"a"[..],
            b"a/b",
            b"..a/b..",
            b"\xff\xfe",
            b"a b\n",
            &[b'x'; 255],
        ] {
            assert_eq!(check_path(good), Ok(()));
        }
        for (bad, why) in [
            (&b""[..], PathError::Empty),
            (b"/a", PathError::Absolute),
            (b"a/", PathError::Component),
            (b"a//b", PathError::Component),
            (b"a/../b", PathError::Component),
            (b"./a", PathError::Component),
            (b"..", PathError::Component),
            (b"a\0b", PathError::Nul),
            (&[b'x'; 256], PathError::LongComponent),
            (&[b'x'; 5000], PathError::TooLong),
        ] {
            assert_eq!(check_path(bad), Err(why));
        }
    }
}
