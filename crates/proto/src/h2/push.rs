//! Server push (RFC 9113, section 8.4).

use super::Session;
use crate::error::UsageError;
use crate::head::Request;
use crate::session::StreamId;

impl Session {
    /// Not built yet: nothing is pushed.
    pub(super) fn promise(
        &mut self,
        _on: StreamId,
        _head: Request,
    ) -> Result<StreamId, UsageError> {
        Err(UsageError::NoPush)
    }
}
