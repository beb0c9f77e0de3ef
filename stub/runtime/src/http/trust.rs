//! Whom TLS trusts, and as whom it presents itself.
//!
//! Trust is the machine's own affair: no certificate authority is built in. A bundle that ages in old artifacts would
//! outlive the distrust of an authority.

use std::path::Path;
use std::sync::{Arc, Once, OnceLock};

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use super::{Error, Request};
use crate::context::Context;
use crate::process::variable;

/// Where systems keep their bundle.
const BUNDLES: [&str; 6] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
    "/var/lib/ca-certificates/ca-bundle.pem",
];

/// TLS for a caller who is no module: it trusts `bundle`, or the machine's own authorities.
///
/// # Errors
/// No certificates there.
pub fn machine_trust(bundle: Option<&Path>) -> Result<TlsConfig, String> {
    choose_cryptography();
    let roots = match bundle {
        Some(path) => certificates(path).map(Arc::new),
        None => system(),
    };
    let roots = RootCerts::Specific(roots.map_err(|e| e.message)?);
    Ok(TlsConfig::builder().root_certs(roots).build())
}

/// Says once which implementation of its primitives the TLS library uses.
fn choose_cryptography() {
    static ONCE: Once = Once::new();
    // It fails only where one was chosen before, which will do.
    ONCE.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
}

/// TLS as the request wants it.
pub(super) fn config(request: &Request, ctx: &Context<'_>) -> Result<TlsConfig, Error> {
    choose_cryptography();
    let mut config = TlsConfig::builder().disable_verification(!request.validate);
    if request.validate {
        config = config.root_certs(roots(request, ctx)?);
    }
    if let Some(path) = &request.client_cert {
        let key = request.client_key.as_deref().unwrap_or(path);
        let chain = certificates(path)?;
        config = config.client_cert(Some(ClientCert::new_with_certs(&chain, private_key(key)?)));
    }
    Ok(config.build())
}

fn roots(request: &Request, ctx: &Context<'_>) -> Result<RootCerts, Error> {
    let named = variable(ctx, "SSL_CERT_FILE");
    let found = match (&request.ca, &named) {
        (Some(path), _) => Arc::new(certificates(path)?),
        (None, Some(path)) => Arc::new(certificates(Path::new(path))?),
        (None, None) => system()?,
    };
    Ok(RootCerts::Specific(found))
}

/// The machine's own authorities, read once.
fn system() -> Result<Arc<Vec<Certificate<'static>>>, Error> {
    static SYSTEM: OnceLock<Option<Arc<Vec<Certificate<'static>>>>> = OnceLock::new();
    let found = SYSTEM.get_or_init(|| {
        BUNDLES
            .iter()
            .find_map(|path| certificates(Path::new(path)).ok())
            .map(Arc::new)
    });
    found.clone().ok_or_else(|| {
        Error::new(format!(
            "this machine has no certificate authorities to trust: {} are not there or hold none. Install them \
             (ca-certificates), or name a bundle in the environment variable SSL_CERT_FILE",
            BUNDLES.join(", ")
        ))
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|e| Error::new(format!("cannot read {}: {e}", path.display())))
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, Error> {
    let found: Vec<_> = parse_pem(&read(path)?)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        return Err(Error::new(format!(
            "{} holds no certificate",
            path.display()
        )));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKey<'static>, Error> {
    PrivateKey::from_pem(&read(path)?)
        .map_err(|e| Error::new(format!("{} holds no private key: {e}", path.display())))
}
