//! A certificate chain and its private key, read from PEM files and checked against each other at once.

use rustls::crypto::CryptoProvider;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// A certificate chain with its key. It keeps the PEM text, so that it can be handed over to a process that may
/// not read the files any more; the key's text is wiped when it is dropped.
pub struct Identity {
    certificate: Vec<u8>,
    key: Zeroizing<Vec<u8>>,
    certificate_name: PathBuf,
    key_name: PathBuf,
}

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}: {why}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        why: io::Error,
    },
    /// The file holds no certificate.
    #[error("{} holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)", .0.display())]
    NoCertificate(PathBuf),
    /// The file holds no key.
    #[error("{} holds no private key in PEM form (-----BEGIN PRIVATE KEY-----; an encrypted key must be decrypted first)", .0.display())]
    NoKey(PathBuf),
    /// The PEM text is broken.
    #[error("{} is broken: {why}", .path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// Where.
        why: String,
    },
    /// The key is of a kind that cannot be used.
    #[error("the key in {} cannot be used: {why}", .path.display())]
    KeyKind {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        why: rustls::Error,
    },
    /// The key is another certificate's.
    #[error("the key in {} does not belong to the certificate in {}", .key.display(), .certificate.display())]
    Mismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The engine cannot be set up.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[source] rustls::Error),
}

impl Identity {
    /// Reads and checks a certificate chain (the server's own certificate first) and its key. Both may be in one
    /// file.
    ///
    /// # Errors
    /// [`TlsError`] names the file and what is wrong with it.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|why| TlsError::Read {
                path: path.to_path_buf(),
                why,
            })
        };
        let (pem, key_pem) = (read(certificate)?, Zeroizing::new(read(key)?));
        Self::from_pem(pem, key_pem, certificate, key)
    }

    /// The same from PEM text that is at hand; the names are for messages.
    ///
    /// # Errors
    /// As [`Identity::read`].
    pub fn from_pem(
        certificate: Vec<u8>,
        key: Zeroizing<Vec<u8>>,
        certificate_name: &Path,
        key_name: &Path,
    ) -> Result<Self, TlsError> {
        let identity = Self {
            certificate,
            key,
            certificate_name: certificate_name.to_path_buf(),
            key_name: key_name.to_path_buf(),
        };
        identity.certified(&rustls::crypto::aws_lc_rs::default_provider())?;
        Ok(identity)
    }

    /// The chain as PEM text.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The key as PEM text. Keep no copy that is not wiped.
    pub fn key(&self) -> &[u8] {
        &self.key
    }

    /// Where the chain was read from.
    pub fn certificate_name(&self) -> &Path {
        &self.certificate_name
    }

    /// Where the key was read from.
    pub fn key_name(&self) -> &Path {
        &self.key_name
    }

    pub(super) fn certified(
        &self,
        provider: &CryptoProvider,
    ) -> Result<Arc<CertifiedKey>, TlsError> {
        let broken = |path: &Path, why: &dyn fmt::Display| TlsError::Broken {
            path: path.to_path_buf(),
            why: why.to_string(),
        };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, _>>()
            .map_err(|why| broken(&self.certificate_name, &why))?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate(self.certificate_name.clone()));
        }
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|why| match why {
            rustls_pki_types::pem::Error::NoItemsFound => TlsError::NoKey(self.key_name.clone()),
            why => broken(&self.key_name, &why),
        })?;
        let signer =
            provider
                .key_provider
                .load_private_key(key)
                .map_err(|why| TlsError::KeyKind {
                    path: self.key_name.clone(),
                    why,
                })?;
        let certified = CertifiedKey::new(chain, signer);
        match certified.keys_match() {
            Ok(()) => Ok(Arc::new(certified)),
            // A key whose public half cannot be told is taken as it is, as rustls does.
            Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {
                Ok(Arc::new(certified))
            }
            Err(rustls::Error::InconsistentKeys(_)) => Err(TlsError::Mismatch {
                certificate: self.certificate_name.clone(),
                key: self.key_name.clone(),
            }),
            Err(why) => Err(broken(&self.certificate_name, &why)),
        }
    }
}

/// Shows where it came from, never the key.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("certificate", &self.certificate_name)
            .field("key", &self.key_name)
            .finish_non_exhaustive()
    }
}
