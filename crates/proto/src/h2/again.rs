//! The head that left last. Most responses of a connection have the same one, but for the second in which they leave: so
//! what was found out about it, and the block that it made, serve as long as the next head says the same and the
//! encoder's table has not changed.

use super::message;
use crate::error::UsageError;
use crate::fields::Fields;
use crate::head::Response;
use crate::hpack::Encoder;
use crate::syntax;

/// What is known of the last response's head. It holds no memory before there is one.
#[derive(Debug, Default)]
pub(super) struct Again {
    last: Option<Box<Last>>,
}

/// What a head says that a session has to know, when its lines may be sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Checked {
    /// The length of the content.
    pub(super) announced: Option<u64>,
    /// Whether there is a Priority field.
    pub(super) prioritizes: bool,
}

#[derive(Debug, Default)]
struct Last {
    status: u16,
    /// The lines, which may be sent.
    fields: Fields,
    checked: Checked,
    block: Vec<u8>,
    /// What the encoder's table was when it made the block and stayed as it was.
    table: Option<u64>,
}

impl Again {
    /// Looks at a head that is to be sent, unless it is the last one again.
    pub(super) fn check(&mut self, head: &Response) -> Result<Checked, UsageError> {
        if let Some(last) = self.last(head) {
            return Ok(last.checked);
        }
        message::check_lines(&head.fields)?;
        let announced = syntax::content_length(&head.fields);
        let checked = Checked {
            announced: announced.map_err(|_| UsageError::BadField)?,
            prioritizes: head.fields.contains(b"priority"),
        };
        let last = self.last.get_or_insert_default();
        last.status = head.status;
        last.fields.copy_from(&head.fields);
        last.checked = checked;
        last.table = None;
        Ok(checked)
    }

    /// The block that the encoder would make of this head, if it is known.
    pub(super) fn block(&self, head: &Response, encoder: &Encoder) -> Option<&[u8]> {
        let last = self.last(head)?;
        (last.table? == encoder.state()?).then_some(&last.block)
    }

    /// Remembers the block that the encoder has made of this head, when it was in this state before.
    pub(super) fn made(&mut self, head: &Response, block: &[u8], encoder: &Encoder, before: u64) {
        let known = self.last(head).is_some();
        if let Some(last) = &mut self.last
            && known
            && encoder.state() == Some(before)
        {
            last.table = Some(before);
            last.block.clear();
            last.block.extend_from_slice(block);
        }
    }

    /// Gives its memory back.
    pub(super) fn rest(&mut self) {
        self.last = None;
    }

    fn last(&self, head: &Response) -> Option<&Last> {
        let last = self.last.as_deref()?;
        (last.status == head.status && last.fields.is_copy_of(&head.fields)).then_some(last)
    }
}
