//! Listeners and keys for the program that takes this one's place: the interpreter that hosts an application may
//! neither bind a port below 1024 nor read a key that only root may.
//!
//! ```text
//!  before exec: Handover::put ─► a sealed file in memory ─► THALWEG_HANDOVER=7 ─► exec
//!  after it:    take() ◄──────── checks seals, version, every descriptor ◄───────┘
//! ```
//!
//! The file has no name, cannot be changed any more, and vanishes with its last descriptor. What names the
//! descriptor in the environment means nothing in another process: whoever took it should remove
//! [`VARIABLE`], so that programs it starts do not look for it.

use crate::inherited::{self, Unfit};
use crate::listen::{Address, ListenError, Listener};
use crate::tls::{Identity, TlsError};
use rustix::fs::{MemfdFlags, SealFlags};
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use zeroize::Zeroizing;

/// The environment variable that holds the number of the file's descriptor.
pub const VARIABLE: &str = "THALWEG_HANDOVER";

/// The form of the file. Another version of this program may have another.
const FORM: &[u8] = b"thalweg handover 1\n";
/// No handover is larger: some thousand listeners and their certificates.
const MOST: u64 = 16 << 20;
const SEALS: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::WRITE)
    .union(SealFlags::SEAL);

/// What is handed over.
#[derive(Debug)]
pub struct Handover {
    /// The version of the program that hands over, for the other to compare with its own.
    pub program: String,
    /// The listeners, in the order of the options that named them.
    pub listeners: Vec<Handed>,
}

/// One listener.
#[derive(Debug)]
pub struct Handed {
    /// The socket.
    pub listener: Listener,
    /// Its certificate and key, where it speaks TLS.
    pub identity: Option<Identity>,
}

/// Why a handover failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HandoverError {
    /// The system refused to make or read the file.
    #[error("the handover file cannot be used: {0}")]
    Io(#[from] io::Error),
    /// The variable is no number of an open descriptor.
    #[error(
        "{VARIABLE}={0} names no open descriptor: it must be left alone between the program and the interpreter"
    )]
    NoDescriptor(String),
    /// The descriptor is something else.
    #[error("descriptor {0} is no sealed handover file ({VARIABLE} must be left alone)")]
    NotSealed(RawFd),
    /// Another version wrote it, or nobody did.
    #[error(
        "the handover was written by another version of thalweg: install the same one in both places"
    )]
    OtherForm,
    /// It ends too early, or says what cannot be.
    #[error("the handover file is broken")]
    Broken,
    /// A listener did not survive.
    #[error("a listener was lost on the way: {0}")]
    Listener(#[from] ListenError),
    /// An identity did not survive.
    #[error("a certificate was lost on the way: {0}")]
    Identity(#[from] TlsError),
}

impl Handover {
    /// Writes and seals the file, and lets it and the listeners pass through `exec`. The answer's number belongs
    /// into [`VARIABLE`] of the new program's environment; everything must stay open until then.
    ///
    /// # Errors
    /// [`HandoverError::Io`].
    pub fn put(&self) -> Result<OwnedFd, HandoverError> {
        let file = rustix::fs::memfd_create(
            "thalweg-handover",
            MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING,
        )
        .map_err(io::Error::from)?;
        let mut file = File::from(file);
        file.write_all(&self.to_octets())?;
        rustix::fs::fcntl_add_seals(&file, SEALS).map_err(io::Error::from)?;
        for handed in &self.listeners {
            pass_through_exec(&handed.listener)?;
        }
        pass_through_exec(&file)?;
        Ok(file.into())
    }

    fn to_octets(&self) -> Zeroizing<Vec<u8>> {
        // Grown once: a vector that moves leaves copies of keys behind.
        let keys = self
            .listeners
            .iter()
            .filter_map(|handed| handed.identity.as_ref());
        let room = keys.map(|identity| {
            let names = identity.certificate_name().as_os_str().len()
                + identity.key_name().as_os_str().len();
            identity.certificate().len() + identity.key().len() + names + 64
        });
        let room = room.sum::<usize>() + 64 * (self.listeners.len() + 1) + self.program.len();
        let mut octets = Zeroizing::new(Vec::with_capacity(room));
        octets.extend_from_slice(FORM);
        put_octets(&mut octets, self.program.as_bytes());
        put_number(&mut octets, self.listeners.len());
        for handed in &self.listeners {
            put_number(&mut octets, handed.listener.as_raw_fd() as usize);
            put_number(&mut octets, usize::from(handed.identity.is_some()));
            if let Some(identity) = &handed.identity {
                put_octets(&mut octets, identity.certificate());
                put_octets(&mut octets, identity.key());
                put_octets(
                    &mut octets,
                    identity.certificate_name().as_os_str().as_bytes(),
                );
                put_octets(&mut octets, identity.key_name().as_os_str().as_bytes());
            }
        }
        octets
    }
}

/// Takes what another program handed over to this one. None: nothing was, as the variable is not set.
///
/// Call it once, early: it owns the listeners from then on, and closes the file.
///
/// # Errors
/// [`HandoverError`] says which part did not arrive.
pub fn take() -> Result<Option<Handover>, HandoverError> {
    let Some(value) = std::env::var_os(VARIABLE) else {
        return Ok(None);
    };
    let text = value.to_string_lossy();
    let missing = || HandoverError::NoDescriptor(text.clone().into_owned());
    let number: RawFd = text.parse().map_err(|_| missing())?;
    let sealed = |file: BorrowedFd<'_>| {
        rustix::fs::fcntl_get_seals(file).is_ok_and(|seals| seals.contains(SEALS))
    };
    let owned = inherited::own(number, sealed).map_err(|unfit| match unfit {
        Unfit::Closed => missing(),
        Unfit::Other => HandoverError::NotSealed(number),
    })?;
    let file = File::from(owned);
    let size = file.metadata()?.len();
    if size > MOST {
        return Err(HandoverError::Broken);
    }
    rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(0)).map_err(io::Error::from)?;
    let mut octets = Zeroizing::new(Vec::with_capacity(size as usize + 1));
    (&file).take(MOST).read_to_end(&mut octets)?;
    Reader(&octets).handover().map(Some)
}

fn pass_through_exec(descriptor: impl AsFd) -> io::Result<()> {
    let flags = rustix::io::fcntl_getfd(&descriptor)?;
    Ok(rustix::io::fcntl_setfd(
        descriptor,
        flags - rustix::io::FdFlags::CLOEXEC,
    )?)
}

fn put_number(octets: &mut Vec<u8>, number: usize) {
    octets.extend_from_slice(&(number as u64).to_be_bytes());
}

fn put_octets(octets: &mut Vec<u8>, what: &[u8]) {
    put_number(octets, what.len());
    octets.extend_from_slice(what);
}

/// What is left of the file.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn handover(&mut self) -> Result<Handover, HandoverError> {
        self.0 = self.0.strip_prefix(FORM).ok_or(HandoverError::OtherForm)?;
        let program =
            String::from_utf8(self.octets()?.to_vec()).map_err(|_| HandoverError::Broken)?;
        let count = self.number()?;
        let mut listeners = Vec::new();
        for _ in 0..count {
            listeners.push(self.handed()?);
        }
        match self.0 {
            [] => Ok(Handover { program, listeners }),
            _ => Err(HandoverError::Broken),
        }
    }

    fn handed(&mut self) -> Result<Handed, HandoverError> {
        let number = RawFd::try_from(self.number()?).map_err(|_| HandoverError::Broken)?;
        let listener = Listener::bind(&Address::Descriptor(number))?;
        let identity = match self.number()? {
            0 => None,
            1 => {
                let certificate = self.octets()?.to_vec();
                let key = Zeroizing::new(self.octets()?.to_vec());
                let (certificate_name, key_name) = (self.path()?, self.path()?);
                Some(Identity::from_pem(
                    certificate,
                    key,
                    certificate_name,
                    key_name,
                )?)
            }
            _ => return Err(HandoverError::Broken),
        };
        Ok(Handed { listener, identity })
    }

    fn path(&mut self) -> Result<&'a Path, HandoverError> {
        Ok(Path::new(OsStr::from_bytes(self.octets()?)))
    }

    fn octets(&mut self) -> Result<&'a [u8], HandoverError> {
        let len = self.number()?;
        let (octets, rest) = self.0.split_at_checked(len).ok_or(HandoverError::Broken)?;
        self.0 = rest;
        Ok(octets)
    }

    fn number(&mut self) -> Result<usize, HandoverError> {
        let (number, rest) = self.0.split_first_chunk().ok_or(HandoverError::Broken)?;
        self.0 = rest;
        usize::try_from(u64::from_be_bytes(*number)).map_err(|_| HandoverError::Broken)
    }
}
