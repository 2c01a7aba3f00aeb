//! A device's long-lived key and self-signed certificate.
//!
//! The certificate is only the envelope TLS wants: nothing in it but the public key counts.

use std::fmt;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ParsedCertificate;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::model::DeviceId;

pub struct Identity {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    device_id: DeviceId,
}

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("no key could be made: {0}")]
    Generate(#[from] rcgen::Error),
    #[error("the certificate cannot be read")]
    Certificate,
    #[error("the private key cannot be read")]
    Key,
    #[error("the certificate is not for the private key")]
    Mismatch,
}

impl Identity {
    /// Makes a new device: an Ed25519 key, and a certificate that says nothing about anybody.
    pub fn generate() -> Result<Self, IdentityError> {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519)?;
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "Ropeway device");
        let certificate = params.self_signed(&key)?;
        Self::from_pem(&certificate.pem(), &Zeroizing::new(key.serialize_pem()))
    }

    /// Reads what [`Self::certificate_pem`] and [`Self::key_pem`] wrote.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Self, IdentityError> {
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes())
            .map_err(|_bad| IdentityError::Certificate)?;
        let key =
            PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_bad| IdentityError::Key)?;
        let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key)
            .map_err(|_bad| IdentityError::Key)?;
        let spki = public_key(&certificate).ok_or(IdentityError::Certificate)?;
        let fits = signing
            .public_key()
            .is_some_and(|public| public.as_ref() == spki.as_slice());
        if !fits {
            return Err(IdentityError::Mismatch);
        }
        Ok(Self {
            device_id: hash(&spki),
            certificate,
            key,
        })
    }

    pub fn device_id(&self) -> DeviceId {
        self.device_id
    }

    pub fn certificate_pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    pub fn key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(pem("PRIVATE KEY", self.key.secret_der()))
    }

    pub(super) fn certificate(&self) -> CertificateDer<'static> {
        self.certificate.clone()
    }

    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        self.key.clone_key()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({:?}, key ***)", self.device_id)
    }
}

/// The device whose key a certificate carries; `None` if it is not a certificate.
pub(super) fn device_id(certificate: &CertificateDer<'_>) -> Option<DeviceId> {
    public_key(certificate).map(|spki| hash(&spki))
}

/// SubjectPublicKeyInfo, DER.
fn public_key(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let parsed = ParsedCertificate::try_from(certificate).ok()?;
    Some(parsed.subject_public_key_info().to_vec())
}

fn hash(spki: &[u8]) -> DeviceId {
    DeviceId(Sha256::digest(spki).into())
}

/// RFC 7468.
fn pem(label: &str, der: &[u8]) -> String {
    let encoded = Zeroizing::new(data_encoding::BASE64.encode(der));
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        text.push_str(line);
        text.push('\n');
        rest = tail;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}
