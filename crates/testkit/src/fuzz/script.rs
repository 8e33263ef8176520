//! Octets read as a script of decisions.

/// Takes decisions from a fuzzer's octets, one after the other, until none are left.
///
/// ```
/// use thalweg_testkit::fuzz::Script;
///
/// let mut script = Script::new(&[2, 7, 8, 9]);
/// let len = script.octet().unwrap();
/// assert_eq!(script.octets(len.into()), [7, 8]);
/// assert_eq!(script.octets(100), [9], "what is left");
/// assert_eq!(script.octet(), None);
/// ```
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    /// A script of these octets.
    pub fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    /// The next octet, while there is one.
    pub fn octet(&mut self) -> Option<u8> {
        self.octets(1).first().copied()
    }

    /// The next two octets as a number, the last of which may be missing.
    pub fn number(&mut self) -> u16 {
        self.octets(2)
            .iter()
            .fold(0, |number, &octet| number << 8 | u16::from(octet))
    }

    /// The next `len` octets, or what is left.
    pub fn octets(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }
}
