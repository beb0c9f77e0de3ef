//! The text of a vault: a header line, then hexadecimal lines of 80 characters that hold, in hexadecimal once more,
//! salt, HMAC and ciphertext.

use super::error::VaultError;

const MAGIC: &[u8] = b"$ANSIBLE_VAULT";
const CIPHER: &str = "AES256";
const WIDTH: usize = 80;

/// Whether this is the text of a vault, as far as its beginning tells. Text beyond ASCII never is.
pub fn is_encrypted(text: &[u8]) -> bool {
    text.starts_with(MAGIC) && text.is_ascii()
}

/// What the text of a vault holds.
#[derive(Debug)]
pub(super) struct Envelope {
    /// The vault id that it was encrypted for; empty in version 1.1.
    pub(super) vault_id: String,
    pub(super) salt: Vec<u8>,
    pub(super) hmac: Vec<u8>,
    pub(super) ciphertext: Vec<u8>,
}

impl Envelope {
    /// Reads it.
    pub(super) fn parse(text: &[u8]) -> Result<Envelope, VaultError> {
        if !is_encrypted(text) {
            return Err(VaultError::NotEncrypted);
        }
        let text = std::str::from_utf8(text).map_err(|_| VaultError::NotEncrypted)?;
        let mut lines = text.lines();
        let header = lines.next().unwrap_or_default().trim();
        let fields: Vec<&str> = header.split(';').collect();
        let &[_, version, cipher, ref rest @ ..] = fields.as_slice() else {
            return Err(VaultError::Header(header.to_owned()));
        };
        let vault_id = match (version.trim(), rest) {
            ("1.1", _) | ("1.2", []) => "",
            ("1.2", [id, ..]) => id.trim(),
            (other, _) => return Err(VaultError::Version(other.to_owned())),
        };
        if cipher.trim() != CIPHER {
            return Err(VaultError::Cipher(cipher.trim().to_owned()));
        }
        let body: Vec<u8> = lines.flat_map(|l| l.trim().bytes()).collect();
        let inner = unhex(&body)?;
        let mut parts = inner.splitn(3, |b| *b == b'\n');
        let (Some(salt), Some(hmac), Some(ciphertext)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(VaultError::Shape);
        };
        Ok(Envelope {
            vault_id: vault_id.to_owned(),
            salt: unhex(salt)?,
            hmac: unhex(hmac)?,
            ciphertext: unhex(ciphertext)?,
        })
    }

    /// Writes it, byte for byte as ansible-vault does. The version is 1.2 where there is an id.
    pub(super) fn write(&self) -> String {
        let mut inner = hex::encode(&self.salt);
        inner.push('\n');
        inner.push_str(&hex::encode(&self.hmac));
        inner.push('\n');
        inner.push_str(&hex::encode(&self.ciphertext));
        let body = hex::encode(inner);
        let mut out = String::with_capacity(body.len() + body.len() / WIDTH + 64);
        out.push_str(if self.vault_id.is_empty() {
            "$ANSIBLE_VAULT;1.1;AES256"
        } else {
            "$ANSIBLE_VAULT;1.2;AES256;"
        });
        out.push_str(&self.vault_id);
        out.push('\n');
        let mut rest = body.as_str();
        while !rest.is_empty() {
            let (line, more) = rest.split_at(rest.len().min(WIDTH));
            out.push_str(line);
            out.push('\n');
            rest = more;
        }
        out
    }
}

fn unhex(digits: &[u8]) -> Result<Vec<u8>, VaultError> {
    hex::decode(digits).map_err(|e| {
        VaultError::Hex(match e {
            hex::FromHexError::OddLength => "an odd number of hexadecimal digits",
            _ => "a character that is no hexadecimal digit",
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_wrong_is_said() {
        let said = |text: &str| Envelope::parse(text.as_bytes()).unwrap_err().to_string();
        insta::assert_snapshot!(
            [
                "hello",
                "\n$ANSIBLE_VAULT;1.1;AES256\n61",
                "$ANSIBLE_VAULT;1.1;AES256\né",
                "$ANSIBLE_VAULT\n61",
                "$ANSIBLE_VAULT;1.1;AES\n61",
                "$ANSIBLE_VAULT;1.3;AES256;a\n61",
                "$ANSIBLE_VAULT;1.1;AES256\nzz\n",
                "$ANSIBLE_VAULT;1.1;AES256\n616",
                "$ANSIBLE_VAULT;1.1;AES256\n6162\n",
            ]
            .map(said)
            .join("\n"),
            @r"
        the input is not vault encrypted data
        the input is not vault encrypted data
        the input is not vault encrypted data
        the vault's header `$ANSIBLE_VAULT` is incomplete
        vault cipher `AES` is not known: AES256 is
        vault version `1.3` is not known: 1.1 and 1.2 are
        the vault's text is damaged: a character that is no hexadecimal digit
        the vault's text is damaged: an odd number of hexadecimal digits
        the vault's text is damaged: salt, digest and ciphertext were expected
        "
        );
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Envelope::parse(&bytes);
            let mut text = b"$ANSIBLE_VAULT;1.2;AES256;x\n".to_vec();
            text.extend(hex::encode(&bytes).into_bytes());
            let _ = Envelope::parse(&text);
        }

        #[test]
        fn what_is_written_is_read(salt in "[a-z]{0,40}", text: Vec<u8>, id in "[a-z0-9_]{0,9}") {
            let written = Envelope {
                vault_id: id.clone(),
                salt: salt.clone().into_bytes(),
                hmac: vec![7; 32],
                ciphertext: text.clone(),
            }
            .write();
            prop_assert!(written.lines().all(|l| l.len() <= WIDTH));
            let read = Envelope::parse(written.as_bytes()).unwrap();
            prop_assert_eq!(read.vault_id, id);
            prop_assert_eq!(read.salt, salt.into_bytes());
            prop_assert_eq!(read.ciphertext, text);
        }
    }
}
