//! The same octets in every cut: whole, one by one, and at random places, always the same ones.

/// A small generator of pseudo-random numbers (SplitMix64), so that a failing test fails again.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The sequence that this seed begins.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is at least 1.
    pub fn below(&mut self, bound: usize) -> usize {
        (self.draw() % bound as u64) as usize
    }

    /// So many octets.
    pub fn octets(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.draw() as u8).collect()
    }
}

/// How many random cuts [`every_split`] tries.
const RANDOM_CUTS: u64 = 16;

/// Calls `check` with the input cut in every way: in one piece, in single octets, and at random places. The
/// name of the cut is for the message of a failing assertion.
///
/// ```
/// use thalweg_testkit::splits::every_split;
///
/// every_split(b"GET / HTTP/1.1\r\n\r\n", |cut, pieces| {
///     assert_eq!(pieces.concat(), b"GET / HTTP/1.1\r\n\r\n", "{cut}");
/// });
/// ```
pub fn every_split(input: &[u8], mut check: impl FnMut(&str, &[&[u8]])) {
    check("whole", &[input]);
    check("octet by octet", &input.chunks(1).collect::<Vec<_>>());
    for seed in 0..RANDOM_CUTS {
        check(&format!("random cut {seed}"), &cut(input, seed));
    }
}

/// The input cut at random places, always the same ones for a seed.
pub fn cut(mut input: &[u8], seed: u64) -> Vec<&[u8]> {
    let mut random = Random::new(seed);
    let mut pieces = Vec::new();
    while !input.is_empty() {
        let most = if random.below(2) == 0 { 8 } else { input.len() };
        let (piece, rest) = input.split_at(1 + random.below(most.min(input.len())));
        pieces.push(piece);
        input = rest;
    }
    pieces
}
