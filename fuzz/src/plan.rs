//! What a client and a server say to each other, read from a script.

use thalweg_proto::fields::Fields;
use thalweg_testkit::fuzz::Script;

/// Streams of a script, at most.
const STREAMS: usize = 6;

/// One exchange.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) request: Half,
    pub(crate) status: u16,
    pub(crate) response: Half,
}

/// What one side says.
#[derive(Clone, Debug)]
pub(crate) struct Half {
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    /// None: the message is its head. Else pieces.
    pub(crate) body: Option<Vec<usize>>,
    pub(crate) ending: Ending,
}

/// How it ends, if it has a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Plain,
    Trailers,
    /// CANCEL, after the pieces.
    Reset,
}

/// What one side has heard on one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, Vec<u8>)>,
    pub(crate) octets: usize,
    /// All octets were what they had to be at their place.
    pub(crate) wrong: bool,
    pub(crate) trailers: Option<Vec<(String, Vec<u8>)>>,
    pub(crate) ended: bool,
    pub(crate) reset: Option<u32>,
}

impl Heard {
    pub(crate) fn hear(&mut self, octets: &[u8]) {
        for octet in octets {
            self.wrong |= *octet != octet_at(self.octets);
            self.octets += 1;
        }
    }

    /// What was heard is what was said: all of it, or a part before a reset.
    ///
    /// # Panics
    /// Where it is not.
    pub(crate) fn check(&self, said: &Half, other: &Half) {
        assert_eq!(self.fields, said.fields);
        assert!(!self.wrong, "octets of a body were changed");
        let sum: usize = said.body.iter().flatten().sum();
        assert!(self.octets <= sum, "more came than was said");
        if said.is_reset() {
            assert!(!self.ended);
            assert!(self.reset.is_some() || other.is_reset());
            return;
        }
        if other.is_reset() {
            return;
        }
        assert_eq!((self.octets, self.ended, self.reset), (sum, true, None));
        let trailers = said.body.is_some() && said.ending == Ending::Trailers;
        assert_eq!(self.trailers, trailers.then(trailers_of));
    }
}

impl Half {
    pub(crate) fn is_reset(&self) -> bool {
        self.body.is_some() && self.ending == Ending::Reset
    }
}

/// The trailers of every message that has any.
pub(crate) fn trailers_of() -> Vec<(String, Vec<u8>)> {
    vec![("x-checked".to_owned(), b"yes".to_vec())]
}

/// The octet of every body at this place.
pub(crate) fn octet_at(place: usize) -> u8 {
    (place % 251) as u8
}

/// Octets of a body from a place on.
pub(crate) fn octets(from: usize, len: usize) -> Vec<u8> {
    (from..from + len).map(octet_at).collect()
}

/// Lines of ours as a peer's.
pub(crate) fn shown(fields: &Fields) -> Vec<(String, Vec<u8>)> {
    let shown = |name: &[u8]| String::from_utf8(name.to_vec()).expect("names are ASCII");
    fields
        .iter()
        .map(|field| (shown(field.name), field.value.to_vec()))
        .collect()
}

/// Exchanges until the script ends.
pub(crate) fn plans(script: &mut Script<'_>) -> Vec<Plan> {
    let mut plans = Vec::new();
    while plans.len() < STREAMS
        && let Some(status) = script.octet()
    {
        plans.push(Plan {
            status: 200 + u16::from(status) % 100 * u16::from(status > 100) * 3 % 300,
            request: half(script),
            response: half(script),
        });
    }
    for plan in &mut plans {
        // These have no content.
        if matches!(plan.status, 204 | 205 | 304) {
            plan.status = 200;
        }
    }
    plans
}

fn half(script: &mut Script<'_>) -> Half {
    let kind = script.octet().unwrap_or_default();
    let fields = (0..kind & 3).map(|number| {
        let len = script.octet().unwrap_or_default();
        let visible = |octet: &u8| b'!' + octet % 94;
        let value = script.octets(len.into()).iter().map(visible).collect();
        (format!("x-{number}"), value)
    });
    let fields = fields.collect();
    let body = (kind & 4 != 0).then(|| {
        (0..kind >> 4 & 3)
            .map(|_| usize::from(script.number()) * 2 + 1)
            .collect()
    });
    let ending = match kind >> 6 {
        0 | 1 => Ending::Plain,
        2 => Ending::Trailers,
        _ => Ending::Reset,
    };
    Half {
        fields,
        body,
        ending,
    }
}
