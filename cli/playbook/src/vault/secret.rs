//! Passwords with their vault ids, and the order in which they are tried.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

use super::cipher;
use super::envelope::{Envelope, is_encrypted};
use super::error::VaultError;

/// The vault id of a password that was given without one. Texts encrypted with it name no id.
pub const DEFAULT_ID: &str = "default";

/// The bytes of a fresh salt.
const SALT: usize = 32;

/// A password and its vault id.
#[derive(Clone)]
pub struct Secret {
    id: String,
    password: Zeroizing<Vec<u8>>,
}

impl Secret {
    /// A password under an id.
    pub fn new(id: impl Into<String>, password: Zeroizing<Vec<u8>>) -> Secret {
        Secret {
            id: id.into(),
            password,
        }
    }

    /// The vault id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Encrypts, with a random salt or with the given one (`ANSIBLE_VAULT_ENCRYPT_SALT`). The text that results names
    /// `id`, unless that is [`DEFAULT_ID`].
    ///
    /// # Errors
    /// Where the text is encrypted already, or no random numbers are to be had.
    pub fn encrypt(
        &self,
        text: &[u8],
        id: &str,
        salt: Option<&[u8]>,
    ) -> Result<String, VaultError> {
        if is_encrypted(text) {
            return Err(VaultError::Twice);
        }
        let mut random = [0; SALT];
        let salt = match salt {
            Some(salt) => salt,
            None => {
                getrandom::fill(&mut random).map_err(|e| VaultError::Random(e.to_string()))?;
                &random
            }
        };
        let id = if id == DEFAULT_ID { "" } else { id };
        Ok(cipher::seal(text, &self.password, salt, id).write())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What was decrypted, and how.
pub struct Plaintext {
    /// The text.
    pub text: Zeroizing<Vec<u8>>,
    /// The vault id that the encrypted text names; empty: none.
    pub vault_id: String,
    /// The password that fitted.
    pub secret: Secret,
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plaintext")
            .field("vault_id", &self.vault_id)
            .finish_non_exhaustive()
    }
}

/// The passwords of a run.
#[derive(Debug, Clone, Default)]
pub struct Vault {
    /// In the order in which they were given.
    pub secrets: Vec<Secret>,
    /// Only passwords whose id is the text's are tried (`DEFAULT_VAULT_ID_MATCH`). Default: no.
    pub match_id: bool,
    /// What was decrypted, by this one and all of its clones.
    pub opened: Opened,
}

/// The plaintexts of a run: what is kept of it must not contain them.
#[derive(Clone, Default)]
pub struct Opened(Arc<Mutex<Vec<Zeroizing<Vec<u8>>>>>);

impl Opened {
    fn add(&self, text: &[u8]) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.iter().any(|known| known.as_slice() == text) {
            all.push(Zeroizing::new(text.to_vec()));
        }
    }

    /// How many there are; they only become more.
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// All of them.
    pub fn texts(&self) -> Vec<Zeroizing<Vec<u8>>> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.clone()
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Opened").field(&self.count()).finish()
    }
}

impl Vault {
    /// Decrypts: the passwords whose id the text names first, then all others, each in the order given.
    ///
    /// # Errors
    /// Where the text is no vault, is damaged, or no password fits.
    pub fn decrypt(&self, text: &[u8]) -> Result<Plaintext, VaultError> {
        let envelope = Envelope::parse(text)?;
        if self.secrets.is_empty() {
            return Err(VaultError::NoSecrets);
        }
        let id = match envelope.vault_id.as_str() {
            "" => DEFAULT_ID,
            id => id,
        };
        let first = self.secrets.iter().filter(|s| s.id == id);
        let then = self.secrets.iter().filter(|s| !self.match_id && s.id != id);
        let mut tried = Vec::new();
        for secret in first.chain(then) {
            tried.push(secret.id.clone());
            if let Some(text) = cipher::open(&envelope, &secret.password)? {
                self.opened.add(&text);
                return Ok(Plaintext {
                    text,
                    vault_id: envelope.vault_id,
                    secret: secret.clone(),
                });
            }
        }
        Err(VaultError::NoneFits {
            wanted: envelope.vault_id,
            tried,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encrypted by ansible-vault 2.19 with the password `secret`: `hello`.
    const V1_1: &str = "$ANSIBLE_VAULT;1.1;AES256
61316638333231643736366532343931653533663266306662666235386335353139663132363063
3939366361353933343834306464303761616365613838370a343534646233383738336236393134
63653065343733336463653331366432333734616232306561336564643238343336303362363865
6663646537373838300a383235613462353463346639653865333264356265353639366235383536
3639
";
    /// The same for the vault id `dev`.
    const V1_2: &str = "$ANSIBLE_VAULT;1.2;AES256;dev
34636334623265353731666262383161653263323236353234333334346666643038613238386336
3133303432666434623539316664663362643131353034630a613532303763346635326366396365
37346665626233373334616662323166666639386332353838656135306534373362623062643731
3038643739306137390a316638623161666637323239666530623161316265366264623564393838
6561
";

    fn secret(id: &str, password: &str) -> Secret {
        Secret::new(id, Zeroizing::new(password.as_bytes().to_vec()))
    }

    #[test]
    fn what_ansible_vault_wrote_is_read() {
        let vault = Vault {
            secrets: vec![secret("x", "wrong"), secret("dev", "secret")],
            match_id: false,
            ..Vault::default()
        };
        for (text, id) in [(V1_1, ""), (V1_2, "dev")] {
            let plain = vault.decrypt(text.as_bytes()).unwrap();
            assert_eq!(plain.text.as_slice(), b"hello\n");
            assert_eq!(plain.vault_id, id);
            assert_eq!(plain.secret.id(), "dev");
            let crlf = text.replace('\n', "\r\n");
            assert!(vault.decrypt(crlf.as_bytes()).is_ok());
        }
    }

    #[test]
    fn the_salt_and_the_password_decide_every_byte() {
        // Written by ansible-vault 2.19 with ANSIBLE_VAULT_ENCRYPT_SALT=abc.
        let expected = "$ANSIBLE_VAULT;1.2;AES256;dev
3631363236330a303036663661663733636462336563306662383634363837396636303837643030
386663326561653966333265363530373832393832626365346566613365380a6463373838396439
626564363638613330623037333037613865663431343366
";
        let written = secret("dev", "secret")
            .encrypt(b"dd", "dev", Some(b"abc"))
            .unwrap();
        assert_eq!(written, expected);
    }

    #[test]
    fn only_a_password_of_that_id_where_ids_must_match() {
        let mut vault = Vault {
            secrets: vec![secret("x", "secret")],
            match_id: true,
            ..Vault::default()
        };
        // A text without an id is the default id's.
        assert!(vault.decrypt(V1_1.as_bytes()).is_err());
        let refused = vault.decrypt(V1_2.as_bytes()).unwrap_err();
        assert!(matches!(&refused, VaultError::NoneFits { tried, .. } if tried.is_empty()));
        vault.match_id = false;
        assert!(vault.decrypt(V1_2.as_bytes()).is_ok());
        vault.secrets.clear();
        assert_eq!(
            vault.decrypt(V1_2.as_bytes()).unwrap_err(),
            VaultError::NoSecrets
        );
    }

    #[test]
    fn a_wrong_password_and_a_flipped_bit_are_refused() {
        let vault = |p: &str| Vault {
            secrets: vec![secret("a", p)],
            match_id: false,
            ..Vault::default()
        };
        insta::assert_snapshot!(
            vault("nope").decrypt(V1_2.as_bytes()).unwrap_err(),
            @"decryption failed: none of the vault passwords (a) fits; the text was encrypted for the vault id `dev`"
        );
        let flipped = V1_2.replace("6561\n", "6562\n");
        assert!(matches!(
            vault("secret").decrypt(flipped.as_bytes()),
            Err(VaultError::NoneFits { .. })
        ));
    }

    #[test]
    fn every_length_comes_back() {
        let key = secret("default", "p");
        let vault = Vault {
            secrets: vec![key.clone()],
            match_id: true,
            ..Vault::default()
        };
        for length in [0, 1, 15, 16, 17, 4096] {
            let text = vec![b'x'; length];
            let written = key.encrypt(&text, "default", None).unwrap();
            assert!(written.starts_with("$ANSIBLE_VAULT;1.1;AES256\n"));
            assert_eq!(*vault.decrypt(written.as_bytes()).unwrap().text, text);
            assert_eq!(
                key.encrypt(written.as_bytes(), "default", None),
                Err(VaultError::Twice)
            );
        }
    }

    #[test]
    fn passwords_are_not_shown() {
        let shown = format!("{:?}", secret("a", "hunter2"));
        assert!(
            !shown.contains("hunter2") && !shown.contains("104"),
            "{shown}"
        );
    }
}
