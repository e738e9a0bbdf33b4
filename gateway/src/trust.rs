//! Certificates that a provider is trusted by instead of the system's, read once.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use pingora::protocols::tls::CaType;
use pingora::utils::tls::{WrappedX509, parse_x509};
use pingora::{Error, ErrorType, Result};
use policy::provider::Provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Parsed certificates, by their PEM text.
#[derive(Default)]
pub(crate) struct Trust {
    parsed: RwLock<HashMap<Arc<str>, Arc<CaType>>>,
}

impl Trust {
    /// The certificates in a provider's `ca_cert_pem`.
    pub(crate) fn certificates(&self, provider: &Provider) -> Result<Arc<CaType>> {
        let Some(pem) = &provider.tls.ca_pem else {
            return Err(unreadable(provider));
        };
        if let Some(known) = self.parsed.read().get(pem) {
            return Ok(Arc::clone(known));
        }
        let mut certificates = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let der = certificate.map_err(|_| unreadable(provider))?.to_vec();
            certificates.push(WrappedX509::new(der, parse_x509));
        }
        if certificates.is_empty() {
            return Err(unreadable(provider));
        }
        let parsed: Arc<CaType> = Arc::from(certificates);
        self.parsed.write().insert(Arc::clone(pem), Arc::clone(&parsed));
        Ok(parsed)
    }
}

fn unreadable(provider: &Provider) -> Box<Error> {
    Error::explain(
        ErrorType::InvalidCert,
        format!("`ca_cert_pem` of provider `{}` is no PEM certificate", provider.name),
    )
}
