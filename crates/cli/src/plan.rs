//! What is to be served, once everything outside has been settled.

use crate::Error;
use thalweg_options::Serve;

/// What is to be served: the options, and what they led to.
#[derive(Debug)]
pub struct Plan {
    /// The options.
    pub serve: Serve,
}

impl Plan {
    pub(crate) fn prepare(serve: Serve) -> Result<Self, Error> {
        Ok(Self { serve })
    }
}
