//! One stream: its state, its two messages and its windows (RFC 9113, section 5.1).

use crate::fields::Fields;
use crate::h2::flow::{RecvWindow, SendWindow};
use crate::h2::patience::Patience;
use crate::h2::schedule::Turn;
use crate::session::{End, Pace, Priority};
use bytes::Bytes;

/// Where a stream stands (RFC 9113, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Known by its number only.
    Idle,
    /// Server: promised, and our response has not begun.
    ReservedLocal,
    /// Client: promised by the server, whose response has not begun.
    ReservedRemote,
    /// Both sides may send.
    Open,
    /// Our message is complete.
    HalfClosedLocal,
    /// The peer's message is complete.
    HalfClosedRemote,
    /// Over.
    Closed,
}

/// What moves a stream. A frame with END_STREAM is two steps: the frame itself, then the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A PUSH_PROMISE on another stream names this one.
    SendPromise,
    RecvPromise,
    SendHeaders,
    SendData,
    SendEnd,
    SendReset,
    RecvHeaders,
    RecvData,
    RecvEnd,
    RecvReset,
}

impl State {
    /// The state after a step; none where the step is not allowed.
    ///
    /// ```text
    ///                      +--------+
    ///         send promise |  idle  | recv promise
    ///      ┌───────────────|        |───────────────┐
    ///      ▼               +--------+               ▼
    /// +----------+              │              +----------+
    /// | reserved |              │ send HEADERS │ reserved |
    /// | (local)  |              │ recv HEADERS | (remote) |
    /// +----------+              ▼              +----------+
    ///   │  │               +--------+               │  │
    ///   │  │ send HEADERS  |  open  |  recv HEADERS │  │
    ///   │  │          ┌────|        |────┐          │  │
    ///   │  │ recv end │    +--------+    │ send end │  │
    ///   │  ▼          ▼         │        ▼          ▼  │
    ///   │  +----------+         │         +----------+ │
    ///   │  |   half   |         │         |   half   | │
    ///   │  |  closed  |         │ RST     |  closed  | │ RST
    ///   │  | (remote) |         │         | (local)  | │
    ///   │  +----------+         │         +----------+ │
    ///   │       │ send end/RST  ▼  recv end/RST │      │
    ///   │       │          +--------+           │      │
    ///   └───────┴─────────►| closed |◄──────────┴──────┘
    ///                      +--------+
    /// ```
    pub(super) fn after(self, step: Step) -> Option<State> {
        use State::{
            Closed, HalfClosedLocal, HalfClosedRemote, Idle, Open, ReservedLocal, ReservedRemote,
        };
        use Step::{
            RecvData, RecvEnd, RecvHeaders, RecvPromise, RecvReset, SendData, SendEnd, SendHeaders,
            SendPromise, SendReset,
        };
        Some(match (self, step) {
            (Idle, SendPromise) => ReservedLocal,
            (Idle, RecvPromise) => ReservedRemote,
            (ReservedLocal, SendHeaders) => HalfClosedRemote,
            (ReservedRemote, RecvHeaders) => HalfClosedLocal,
            (ReservedLocal | ReservedRemote, SendReset | RecvReset) => Closed,
            (Idle, SendHeaders | RecvHeaders) => Open,
            (Open, SendHeaders | SendData | RecvHeaders | RecvData) => Open,
            (Open, SendEnd) => HalfClosedLocal,
            (Open, RecvEnd) => HalfClosedRemote,
            (HalfClosedLocal, RecvHeaders | RecvData) => HalfClosedLocal,
            (HalfClosedLocal, RecvEnd) => Closed,
            (HalfClosedRemote, SendHeaders | SendData) => HalfClosedRemote,
            (HalfClosedRemote, SendEnd) => Closed,
            (Open | HalfClosedLocal | HalfClosedRemote, SendReset | RecvReset) => Closed,
            // RST_STREAM may cross another one, or our own end, on its way.
            (Closed, RecvReset) => Closed,
            _ => return None,
        })
    }

    /// Whether the peer's message is complete. To a promised stream it says nothing.
    pub(super) fn heard_all(self) -> bool {
        matches!(
            self,
            State::ReservedLocal | State::HalfClosedRemote | State::Closed
        )
    }

    /// Whether our message is complete and has left. To a promised stream the client says nothing.
    pub(super) fn said_all(self) -> bool {
        matches!(
            self,
            State::ReservedRemote | State::HalfClosedLocal | State::Closed
        )
    }

    /// Whether it is promised, and its response has not begun.
    pub(super) fn is_reserved(self) -> bool {
        matches!(self, State::ReservedLocal | State::ReservedRemote)
    }
}

/// How far the peer's message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hearing {
    /// Client: the final head of the response has not come.
    Head,
    /// The body, or trailers.
    Body,
}

/// How far the caller has given us our message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Saying {
    /// Server: the final head has not been given. Client: no tunnel is there yet to say anything into.
    Head,
    /// The body: the stream is in the schedule, unless it waits for a window or for its caller.
    Body,
    /// All of it.
    Whole,
}

/// What the request asked for that decides how the response is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// Anything that has content in its answer.
    Content,
    /// HEAD: the answer has none, whatever its fields say.
    HeadOnly,
    /// CONNECT: after a 2xx the octets are a tunnel's.
    Tunnel,
}

impl Asked {
    /// What a request with this method asks for.
    pub(super) fn by(method: &[u8]) -> Self {
        match method {
            b"HEAD" => Asked::HeadOnly,
            b"CONNECT" => Asked::Tunnel,
            _ => Asked::Content,
        }
    }

    /// What is left of it once the answer is known: a CONNECT that was refused makes no tunnel.
    pub(super) fn answered(self, status: u16) -> Self {
        match self {
            Asked::Tunnel if !(200..300).contains(&status) => Asked::Content,
            asked => asked,
        }
    }

    /// Whether an answer with this status may announce a length (RFC 9110, section 8.6).
    pub(super) fn may_announce(self, status: u16) -> bool {
        let is_tunnel = self == Asked::Tunnel && (200..300).contains(&status);
        !is_tunnel && status != 204 && status >= 200
    }

    /// How much content the answer has, where that is known (RFC 9110, section 6.4.1).
    pub(super) fn content_of(self, status: u16, announced: Option<u64>) -> Option<u64> {
        match (self, status) {
            (Asked::Tunnel, 200..=299) => None,
            (Asked::HeadOnly, _) | (_, 204 | 304) => Some(0),
            _ => announced,
        }
    }
}

/// A piece of a body that waits for a window, after the peer has made it smaller under our hands.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    pub(super) then: Then,
}

/// What follows it: [`End`] in less room, since most pieces have no trailers.
#[derive(Debug)]
pub(super) enum Then {
    More,
    Nothing,
    Trailers(Box<Fields>),
}

impl From<End> for Then {
    fn from(end: End) -> Self {
        match end {
            End::More => Then::More,
            End::Last => Then::Nothing,
            End::Trailers(trailers) => Then::Trailers(Box::new(trailers)),
        }
    }
}

/// A stream that is open, or half of it.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) number: u32,
    pub(super) state: State,
    pub(super) hearing: Hearing,
    pub(super) saying: Saying,
    pub(super) asked: Asked,
    /// Octets of content that are still to come, where content-length announced them.
    pub(super) to_hear: Option<u64>,
    /// Octets of content that the caller still owes, where its content-length announced them.
    pub(super) to_say: Option<u64>,
    pub(super) send_window: SendWindow,
    pub(super) recv_window: RecvWindow,
    /// The client waits for 100 Continue, and nothing has told it to go on.
    pub(super) expects: bool,
    /// The caller does not want the rest of the peer's body.
    pub(super) discarding: bool,
    /// The caller has nothing to supply until it says so.
    pub(super) deferred: bool,
    /// Its head waits until the client takes another pushed stream.
    pub(super) parked: bool,
    /// Its place among those that may send DATA.
    pub(super) turn: Turn,
    /// No window was open, and its caller has said that its body goes on, or has not answered yet.
    pub(super) asked_end: bool,
    /// A WINDOW_UPDATE for it is queued.
    pub(super) crediting: bool,
    /// How often the peer was given credit for it.
    pub(super) credits: u8,
    /// What has come in the round that measures.
    pub(super) came: u32,
    /// How long our body may still wait for the peer's credit.
    pub(super) patience: Patience,
    /// How fast its body comes, where that is measured.
    pub(super) pace: Option<Box<Pace>>,
    pub(super) held: Option<Box<Piece>>,
}

impl Stream {
    /// A stream in the state before its first HEADERS.
    pub(super) fn idle(number: u32, send_window: u32, recv_window: u32) -> Self {
        Self {
            number,
            state: State::Idle,
            hearing: Hearing::Head,
            saying: Saying::Head,
            asked: Asked::Content,
            to_hear: None,
            to_say: None,
            send_window: SendWindow::new(send_window),
            recv_window: RecvWindow::new(recv_window),
            expects: false,
            discarding: false,
            deferred: false,
            parked: false,
            turn: Turn::new(Priority::default()),
            asked_end: false,
            crediting: false,
            credits: 0,
            came: 0,
            patience: Patience::default(),
            pace: None,
            held: None,
        }
    }

    /// Takes a step; answers false, and stays, where it is not allowed.
    pub(super) fn step(&mut self, step: Step) -> bool {
        match self.state.after(step) {
            Some(state) => {
                self.state = state;
                true
            }
            None => false,
        }
    }

    /// Whether our message waits for the peer's leave, or our body for its credit; `open` says whether the
    /// connection's window allows anything.
    pub(super) fn is_stuck(&self, open: bool) -> bool {
        let allowed = open && self.send_window.room() > 0;
        self.parked || (self.saying == Saying::Body && !self.deferred && !allowed)
    }

    /// Whether what the peer has still to say is of no use: ours is said, and nobody wants the rest of its body.
    pub(super) fn is_pointless(&self) -> bool {
        self.discarding && self.hearing == Hearing::Body && self.state.said_all()
    }

    /// Client: whether the stream has become a tunnel (RFC 9113, section 8.5).
    pub(super) fn is_tunnel(&self) -> bool {
        self.asked == Asked::Tunnel && self.hearing == Hearing::Body
    }

    /// Counts content against the announced length (RFC 9113, section 8.1.1). Answers false where it is too much.
    pub(super) fn hear(&mut self, octets: usize) -> bool {
        match &mut self.to_hear {
            None => true,
            Some(left) => match left.checked_sub(octets as u64) {
                Some(less) => {
                    *left = less;
                    true
                }
                None => false,
            },
        }
    }

    /// Whether as much content came as was announced.
    pub(super) fn heard_announced(&self) -> bool {
        matches!(self.to_hear, None | Some(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole table, a line for each state and step, as `states.txt` keeps it for review.
    #[test]
    fn the_transition_table_is_the_one_that_was_reviewed() {
        use std::fmt::Write as _;
        let states = [
            State::Idle,
            State::ReservedLocal,
            State::ReservedRemote,
            State::Open,
            State::HalfClosedLocal,
            State::HalfClosedRemote,
            State::Closed,
        ];
        let steps = [
            Step::SendPromise,
            Step::RecvPromise,
            Step::SendHeaders,
            Step::SendData,
            Step::SendEnd,
            Step::SendReset,
            Step::RecvHeaders,
            Step::RecvData,
            Step::RecvEnd,
            Step::RecvReset,
        ];
        let mut table = String::new();
        for state in states {
            for step in steps {
                let after = match state.after(step) {
                    Some(after) => format!("{after:?}"),
                    None => "-".into(),
                };
                writeln!(table, "{state:?} {step:?} {after}").unwrap();
            }
        }
        assert_eq!(table, include_str!("states.txt"), "\n{table}");
    }
}
