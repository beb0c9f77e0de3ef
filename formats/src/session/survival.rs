//! What lets a session outlive its channel.

use serde::{Deserialize, Serialize};

/// The key of one session. Who has it may come back to the session; what the host writes down while the controller is away
/// is sealed under it. It goes over the channel and stays in memory there. `Debug` hides it.
#[derive(
    Clone, PartialEq, Eq, Serialize, Deserialize, zeroize::Zeroize, zeroize::ZeroizeOnDrop,
)]
pub struct RunKey(pub [u8; 32]);

impl RunKey {
    /// The name of the session's folder on the host: 16 hexadecimal digits that tell nothing of the key.
    pub fn name(&self) -> String {
        let digest = blake3::derive_key("rustle 2026-11 session name", &self.0);
        hex::encode(&digest[..8])
    }

    /// The key of one of several sessions of a run, by its number.
    pub fn of_session(&self, number: u64) -> RunKey {
        let mut input = zeroize::Zeroizing::new([0u8; 40]);
        input[..32].copy_from_slice(&self.0);
        input[32..].copy_from_slice(&number.to_le_bytes());
        RunKey(blake3::derive_key(
            "rustle 2026-11 key of a session",
            input.as_slice(),
        ))
    }

    /// Whether two keys are the same, in a time that does not tell where they differ.
    pub fn is(&self, other: &RunKey) -> bool {
        let differences = self.0.iter().zip(&other.0).map(|(a, b)| a ^ b);
        differences.fold(0, |all, one| all | one) == 0
    }
}

impl std::fmt::Debug for RunKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RunKey(…)")
    }
}

/// How a runner outlives its channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survive {
    /// The session's key.
    pub key: RunKey,
    /// Seconds that the runner goes on without a controller, as far as it can; then it stops.
    pub seconds: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_told_apart_and_not_shown() {
        let run = RunKey([9; 32]);
        assert!(run.is(&run.clone()) && !run.is(&run.of_session(0)));
        assert_ne!(run.of_session(0), run.of_session(1));
        assert_eq!(run.name().len(), 16);
        assert_ne!(run.name(), run.of_session(0).name());
        assert_eq!(format!("{run:?}"), "RunKey(…)");
    }
}
