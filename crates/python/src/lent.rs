//! `bytes` objects that are on their way to a client: not copied, and never released by a thread of the network.
//!
//! A thread of the network must not wait for the interpreter, so it cannot release what Python owns. It puts the
//! object back here instead, and the next application thread that comes along releases all of them. Where none
//! comes along, because there is nothing to do, and much has come back, the main thread is called.

use bytes::Bytes;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use rustix::event::{EventfdFlags, eventfd};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::{io, mem};

/// Octets that may wait for an application thread to come along.
const PATIENCE: usize = 1 << 20;

/// The objects that came back.
pub(crate) struct Lent {
    back: Mutex<Back>,
    /// Whether there are any, so that nobody takes the lock for nothing.
    any: AtomicBool,
    bell: OwnedFd,
}

#[derive(Default)]
struct Back {
    objects: Vec<PyBackedBytes>,
    octets: usize,
}

impl Lent {
    /// Nothing is lent yet.
    ///
    /// # Errors
    /// When the system gives no more descriptors.
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            back: Mutex::default(),
            any: AtomicBool::new(false),
            bell: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        }))
    }

    /// The octets of a `bytes` object, which lives as long as they are used.
    pub(crate) fn lend(self: &Arc<Self>, object: &Bound<'_, PyBytes>) -> Bytes {
        Bytes::from_owner(Loan {
            octets: Some(object.clone().into()),
            lender: Arc::clone(self),
        })
    }

    /// Releases what came back. The caller is attached to the interpreter, as the token shows.
    pub(crate) fn release(&self, _: Python<'_>) {
        if self.any.swap(false, Ordering::Acquire) {
            let back = mem::take(&mut *self.back.lock().unwrap_or_else(PoisonError::into_inner));
            drop(back);
        }
    }

    /// Makes [`bell`](Self::bell) silent until so much has come back once more.
    pub(crate) fn silence(&self) {
        // It fails when it is silent already.
        let _ = rustix::io::read(&self.bell, &mut [0; 8]);
    }

    /// Readable when so much has come back that it should be released now.
    pub(crate) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    fn take_back(&self, object: PyBackedBytes) {
        let mut back = self.back.lock().unwrap_or_else(PoisonError::into_inner);
        let before = back.octets;
        back.octets += object.len();
        back.objects.push(object);
        let much = before < PATIENCE && back.octets >= PATIENCE;
        drop(back);
        self.any.store(true, Ordering::Release);
        if much {
            // It fails only when it rings already.
            let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        }
    }
}

/// One object on its way.
struct Loan {
    octets: Option<PyBackedBytes>,
    lender: Arc<Lent>,
}

impl AsRef<[u8]> for Loan {
    fn as_ref(&self) -> &[u8] {
        self.octets.as_deref().unwrap_or_default()
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        if let Some(octets) = self.octets.take() {
            self.lender.take_back(octets);
        }
    }
}
