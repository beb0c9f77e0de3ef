//! Whom TLS trusts, and as whom it presents itself.

use std::path::Path;
use std::sync::{Arc, OnceLock};

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

/// TLS as the request wants it.
pub(super) fn config(request: &Request, ctx: &Context<'_>) -> Result<TlsConfig, Error> {
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

/// TLS for a program that talks for itself: it trusts what is in `bundle` (PEM) if that is given, else what the machine
/// trusts, else what is built in.
///
/// # Errors
/// A bundle that cannot be read or holds no certificate.
pub fn machine_trust(bundle: Option<&Path>) -> Result<TlsConfig, String> {
    let roots = match bundle {
        Some(path) => RootCerts::Specific(Arc::new(certificates(path).map_err(|e| e.message)?)),
        None => system_roots(),
    };
    Ok(TlsConfig::builder().root_certs(roots).build())
}

fn roots(request: &Request, ctx: &Context<'_>) -> Result<RootCerts, Error> {
    if let Some(path) = &request.ca {
        return Ok(RootCerts::Specific(Arc::new(certificates(path)?)));
    }
    if let Some(path) = variable(ctx, "SSL_CERT_FILE") {
        return Ok(RootCerts::Specific(Arc::new(certificates(Path::new(
            &path,
        ))?)));
    }
    Ok(system_roots())
}

/// What the machine trusts, else what is built in.
fn system_roots() -> RootCerts {
    static SYSTEM: OnceLock<Option<Arc<Vec<Certificate<'static>>>>> = OnceLock::new();
    let system = SYSTEM.get_or_init(|| {
        BUNDLES
            .iter()
            .filter_map(|path| certificates(Path::new(path)).ok())
            .find(|found| !found.is_empty())
            .map(Arc::new)
    });
    match system {
        Some(found) => RootCerts::Specific(Arc::clone(found)),
        None => RootCerts::WebPki,
    }
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
