//! Octets in a block of memory that is neither moved nor zeroed again: filled at the end, used up at the front.

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    block: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    pub(crate) fn with_room(room: usize) -> Self {
        Self {
            block: vec![0; room],
            ..Self::default()
        }
    }

    /// What is in it.
    pub(crate) fn octets(&self) -> &[u8] {
        &self.block[self.start..self.end]
    }

    pub(crate) fn octets_mut(&mut self) -> &mut [u8] {
        &mut self.block[self.start..self.end]
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// Uses up the first `octets` of it.
    pub(crate) fn consume(&mut self, octets: usize) {
        self.start += octets;
        debug_assert!(self.start <= self.end);
        if self.start == self.end {
            self.clear();
        }
    }

    /// Lets `write` fill the free part, of at least `room` octets; it answers how many it wrote.
    pub(crate) fn append<E>(
        &mut self,
        room: usize,
        write: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        if self.block.len() - self.end < room {
            self.block.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            let needed = self.end + room;
            if self.block.len() < needed {
                self.block.resize(needed, 0);
            }
        }
        let written = write(&mut self.block[self.end..])?;
        self.end += written;
        Ok(written)
    }

    pub(crate) fn extend(&mut self, octets: &[u8]) {
        let copied: Result<usize, std::convert::Infallible> = self.append(octets.len(), |free| {
            free[..octets.len()].copy_from_slice(octets);
            Ok(octets.len())
        });
        debug_assert_eq!(copied, Ok(octets.len()));
    }

    pub(crate) fn clear(&mut self) {
        self.start = 0;
        self.end = 0;
    }

    /// Takes what is left out of it, into memory of its own.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let rest = self.octets().to_vec();
        self.clear();
        rest
    }
}
