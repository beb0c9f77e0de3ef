//! The SHA-crypt password hashes (`$5$`, `$6$`), by their specification.

use sha2::{Digest, Sha256, Sha512};

/// Which hash.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Method {
    /// `$5$`
    Sha256,
    /// `$6$`
    Sha512,
}

impl Method {
    fn digest(self, parts: &[&[u8]]) -> Vec<u8> {
        match self {
            Method::Sha256 => parts
                .iter()
                .fold(Sha256::new(), |hash, part| hash.chain_update(part))
                .finalize()
                .to_vec(),
            Method::Sha512 => parts
                .iter()
                .fold(Sha512::new(), |hash, part| hash.chain_update(part))
                .finalize()
                .to_vec(),
        }
    }
}

/// A block repeated to a length.
fn repeated(block: &[u8], length: usize) -> Vec<u8> {
    block.iter().copied().cycle().take(length).collect()
}

/// The hash of a password in the format of `/etc/shadow`.
pub(crate) fn hash(method: Method, password: &[u8], salt: &[u8], rounds: u32) -> String {
    let b = method.digest(&[password, salt, password]);
    let mut input = [password, salt].concat();
    input.extend(repeated(&b, password.len()));
    let mut length = password.len();
    while length > 0 {
        input.extend_from_slice(if length & 1 == 1 { &b } else { password });
        length >>= 1;
    }
    let mut current = method.digest(&[&input]);
    let p = repeated(
        &method.digest(&[&password.repeat(password.len())]),
        password.len(),
    );
    let s = repeated(
        &method.digest(&[&salt.repeat(16 + usize::from(current[0]))]),
        salt.len(),
    );
    for round in 0..rounds {
        let mut input = Vec::with_capacity(256);
        input.extend_from_slice(if round & 1 == 1 { &p } else { &current });
        if round % 3 != 0 {
            input.extend_from_slice(&s);
        }
        if round % 7 != 0 {
            input.extend_from_slice(&p);
        }
        input.extend_from_slice(if round & 1 == 1 { &current } else { &p });
        current = method.digest(&[&input]);
    }
    let id = if method == Method::Sha512 { 6 } else { 5 };
    let named = if rounds == 5000 {
        String::new()
    } else {
        format!("rounds={rounds}$")
    };
    format!(
        "${id}${named}{}${}",
        String::from_utf8_lossy(salt),
        encode(method, &current)
    )
}

/// The specification's own base 64, with its own order of bytes.
fn encode(method: Method, digest: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut out = String::new();
    let mut push = |bytes: [u8; 3], count: usize| {
        let mut word = u32::from(bytes[0]) << 16 | u32::from(bytes[1]) << 8 | u32::from(bytes[2]);
        for _ in 0..count {
            out.push(ALPHABET[(word & 63) as usize] as char);
            word >>= 6;
        }
    };
    let third = digest.len() / 3;
    let mut order = [0, third, third * 2];
    for _ in 0..third {
        push(order.map(|index| digest[index]), 4);
        // The three positions move on and change places, one way or the other.
        order = match method {
            Method::Sha512 => [order[1] + 1, order[2] + 1, order[0] + 1],
            Method::Sha256 => [order[2] + 1, order[0] + 1, order[1] + 1],
        };
    }
    match method {
        Method::Sha512 => push([0, 0, digest[63]], 2),
        Method::Sha256 => push([0, digest[31], digest[30]], 3),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_c_library() {
        assert_eq!(
            hash(Method::Sha512, b"Hello world!", b"saltstring", 5000),
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"
        );
        assert_eq!(
            hash(Method::Sha256, b"Hello world!", b"saltstring", 5000),
            "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
        );
        assert_eq!(
            hash(Method::Sha512, &[b'a'; 70], b"anotherlongsalts", 1400),
            "$6$rounds=1400$anotherlongsalts$IgUP7uIMZ4AuYGEs3GS3.RVPG.W6VjADCPrAvTevdfjsmnH/W1UTz0mC.9fqVbt3dcWCIHj3h7q7Oo0w8mkY61"
        );
        assert_eq!(
            hash(Method::Sha256, b"", b"x", 1000),
            "$5$rounds=1000$x$kIBhdUvT3pHpfTjzR8s1XJu3y/HRJeFxMSffBtF8jx9"
        );
    }
}
