//! How TLS is set up: version, certificates, and the handshake against a deadline.

use std::io;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Connection, DigitallySignedStruct,
    DistinguishedName, Error, ServerConfig, ServerConnection, SignatureScheme,
};

use zeroize::Zeroizing;

use super::identity::{Identity, device_id};
use super::transport::Transport;
use crate::model::DeviceId;

/// Said in the handshake and checked by both ends, so that nothing else is taken for Ropeway.
const ALPN: &[u8] = b"ropeway/1";
/// RFC 8446 §7.5; see PROTOCOL.md.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-ropeway-verification";
const SESSION_LABEL: &[u8] = b"EXPORTER-ropeway-session";

#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    #[error("the other end does not speak Ropeway")]
    NotRopeway,
    #[error("the other end speaks TLS, but not Ropeway")]
    AnotherTls,
    #[error("no answer within the time allowed")]
    Deadline,
    #[error("more bytes than a stranger may send")]
    Budget,
    #[error("{0}")]
    Tls(#[from] Error),
    #[error("{0}")]
    Io(io::Error),
}

impl From<io::Error> for ChannelError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Self::Deadline,
            io::ErrorKind::QuotaExceeded => Self::Budget,
            // rustls hides its own errors in an io::Error when it drives the socket.
            io::ErrorKind::InvalidData => match error.downcast::<Error>() {
                Ok(Error::InvalidMessage(_)) => Self::NotRopeway,
                Ok(Error::NoApplicationProtocol) => Self::AnotherTls,
                Ok(tls) => Self::Tls(tls),
                Err(other) => Self::Io(other),
            },
            _ => Self::Io(error),
        }
    }
}

/// What the handshake has proven.
pub(super) struct Handshaken {
    pub tls: Connection,
    pub peer: DeviceId,
    pub exporter: [u8; 32],
    pub session_secret: Zeroizing<[u8; 32]>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    Client,
    Server,
}

/// Runs the handshake on this thread; the transport carries the deadline.
pub(super) fn handshake(
    transport: &mut Transport,
    identity: &Identity,
    role: Role,
) -> Result<Handshaken, ChannelError> {
    let mut tls = match role {
        Role::Client => {
            // The name is not sent (no SNI) and not checked: keys are.
            let name = ServerName::try_from("ropeway.invalid")
                .expect("a constant that is a valid DNS name");
            Connection::Client(ClientConnection::new(client_config(identity)?, name)?)
        }
        Role::Server => Connection::Server(ServerConnection::new(server_config(identity)?)?),
    };
    // The writer drains after every piece, so the limit would only be in the way.
    tls.set_buffer_limit(None);
    while tls.is_handshaking() || tls.wants_write() {
        tls.complete_io(transport)?;
    }
    if tls.alpn_protocol() != Some(ALPN) {
        return Err(ChannelError::AnotherTls);
    }
    let peer = tls
        .peer_certificates()
        .and_then(|chain| chain.first())
        .and_then(device_id)
        .ok_or(Error::NoCertificatesPresented)?;
    let exporter = tls.export_keying_material([0; 32], EXPORTER_LABEL, None)?;
    let session_secret = tls.export_keying_material([0; 32], SESSION_LABEL, None)?;
    Ok(Handshaken {
        tls,
        peer,
        exporter,
        session_secret: Zeroizing::new(session_secret),
    })
}

/// AES-128-GCM first: no weaker in practice than the other two, and a third faster than AES-256.
fn provider() -> Arc<CryptoProvider> {
    use aws_lc_rs::cipher_suite as suite;
    Arc::new(CryptoProvider {
        cipher_suites: vec![
            suite::TLS13_AES_128_GCM_SHA256,
            suite::TLS13_AES_256_GCM_SHA384,
            suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        ..aws_lc_rs::default_provider()
    })
}

fn client_config(identity: &Identity) -> Result<Arc<ClientConfig>, Error> {
    let provider = provider();
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AnyKey(provider)))
        .with_client_auth_cert(vec![identity.certificate()], identity.key())?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    config.enable_sni = false;
    Ok(Arc::new(config))
}

fn server_config(identity: &Identity) -> Result<Arc<ServerConfig>, Error> {
    let provider = provider();
    let mut config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(Arc::new(AnyKey(provider)))
        .with_single_cert(vec![identity.certificate()], identity.key())?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Takes any certificate whose key signed the handshake: who that is, is the device id; whether it
/// is welcome, is decided above.
#[derive(Debug)]
struct AnyKey(Arc<CryptoProvider>);

impl AnyKey {
    fn readable(certificate: &CertificateDer<'_>) -> Result<(), Error> {
        match device_id(certificate) {
            Some(_) => Ok(()),
            None => Err(CertificateError::BadEncoding.into()),
        }
    }

    fn signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }

    fn no_tls12() -> Error {
        Error::General("TLS 1.2 is never offered".into())
    }
}

impl ServerCertVerifier for AnyKey {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Self::readable(certificate).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Self::no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}

impl ClientCertVerifier for AnyKey {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Self::readable(certificate).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Self::no_tls12())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes()
    }
}
